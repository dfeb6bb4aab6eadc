package convert

import (
	"errors"
	"slices"
	"strings"

	"holdfast/conf"
)

// A Draft is a configuration in blocks of TOML, each with the position of the
// directive that it came from.
type Draft struct {
	blocks []block
}

type block struct {
	at   Position
	text string // ends with a line end
}

// Add appends a block: whole tables, like [[service]] with its servers.
func (d *Draft) Add(at Position, text string) {
	d.blocks = append(d.blocks, block{at, strings.TrimSuffix(text, "\n") + "\n"})
}

// draftName is the name of the draft in errors of package conf.
const draftName = "draft"

// Finish loads the draft. Blocks that holdfast refuses are left out and reported.
// The configuration has no name for the director, so that the host name is the
// default. If nothing is left, Finish returns nil.
func (d *Draft) Finish(report *Report) *conf.Config {
	blocks := slices.Clone(d.blocks)
	for {
		var source strings.Builder
		for _, b := range blocks {
			source.WriteString(b.text)
		}
		c, err := conf.Parse(draftName, []byte(source.String()))
		if err == nil {
			c.Director.Name = ""
			return c
		}
		errs, ok := errors.AsType[conf.Errors](err)
		if !ok || len(blocks) == 0 {
			return nil
		}
		blocks = without(blocks, errs, report)
	}
}

// without returns the blocks that no error is about, and reports the errors. An
// error about nothing in particular leaves no block.
func without(blocks []block, errs conf.Errors, report *Report) []block {
	refused := make(map[int]bool)
	for _, e := range errs {
		i := blockOf(blocks, e.Line)
		if e.File != draftName || i < 0 {
			continue
		}
		refused[i] = true
		report.Person(blocks[i].at, "holdfast refuses it: %s", strings.TrimPrefix(e.Key+": "+e.Message, ": "))
	}
	if len(refused) == 0 {
		return nil
	}
	var left []block
	for i, b := range blocks {
		if !refused[i] {
			left = append(left, b)
		}
	}
	return left
}

// blockOf returns the index of the block that contains a line of the draft, or -1.
func blockOf(blocks []block, line int) int {
	for i, b := range blocks {
		lines := strings.Count(b.text, "\n")
		if line <= lines {
			return i
		}
		line -= lines
	}
	return -1
}
