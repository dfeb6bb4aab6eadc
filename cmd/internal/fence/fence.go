// Package fence makes sure that a node is off: by a fence agent, a plugin of
// heartbeat's STONITH, or a program of the administrator.
package fence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/program"
)

// A Device is what can fence nodes.
type Device struct {
	Kind    Kind
	Program program.Program // Command: the program
	Agent   string          // Agent: its absolute path
	Plugin  string          // Stonith: the name of the plugin
	Params  map[string]string
	Action  string // off or reboot
}

// A Kind is a convention by which a device is called.
type Kind uint8

// The kinds.
const (
	Command Kind = iota
	Agent
	Stonith
)

// external is where external plugins of STONITH are, and Binary the program that knows
// the others (Debian: cluster-glue).
const (
	external = "/usr/lib/stonith/plugins/external"
	binary   = "/usr/sbin/stonith"
)

// A call is one run of a program.
type call struct {
	program.Program
	env   []string
	input string // on the standard input
}

// Run fences a node. env is the environment beside PATH and LANG. When ctx ends, the
// program is killed with its process group.
func (d *Device) Run(ctx context.Context, node string, env []string) error {
	c := d.call(node)
	if err := c.Check(); err != nil {
		return err
	}
	in, err := stdin(c.input)
	if err != nil {
		return err
	}
	if in != nil {
		defer in.Close()
	}
	output := &program.Tail{}
	env = slices.Concat([]string{"PATH=" + program.Path, "LANG=C.UTF-8"}, env, c.env)
	from := time.Now()
	err = c.RunWith(ctx, env, in, output)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("timed out after %v", time.Since(from).Round(time.Millisecond))
	}
	if line := output.LastLine(); err != nil && line != "" {
		err = fmt.Errorf("%w: %s", err, line)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(c.Argv[0]), err)
	}
	return nil
}

// call is what is run to fence a node.
func (d *Device) call(node string) call {
	switch {
	case d.Kind == Agent:
		return d.agent(node)
	case d.Kind == Stonith && strings.HasPrefix(d.Plugin, "external/"):
		return d.external(node)
	case d.Kind == Stonith:
		return d.stonith(node)
	}
	return call{Program: d.Program}
}

// agent is a call by the convention of fence agents: a line NAME=VALUE for each
// parameter on the standard input (fence-agents, doc/FenceAgentAPI.md). A parameter that
// the agent does not know is no error.
func (d *Device) agent(node string) call {
	params := map[string]string{"action": d.Action, "nodename": node}
	if d.Params["port"] == "" {
		params["plug"] = node
	}
	maps.Copy(params, d.Params)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		b.WriteString(name + "=" + params[name] + "\n")
	}
	return call{Program: program.Program{Argv: []string{d.Agent}}, input: b.String()}
}

// external is a call of an external plugin of STONITH: the parameters are environment
// variables, the arguments the action and the node.
func (d *Device) external(node string) call {
	c := call{Program: program.Program{Argv: []string{
		filepath.Join(external, strings.TrimPrefix(d.Plugin, "external/")), d.stonithAction(), node,
	}}}
	for _, name := range slices.Sorted(maps.Keys(d.Params)) {
		c.env = append(c.env, name+"="+d.Params[name])
	}
	return c
}

// stonith is a call of the program for plugins that are libraries (stonith(8)).
func (d *Device) stonith(node string) call {
	argv := []string{binary, "-t", d.Plugin}
	for _, name := range slices.Sorted(maps.Keys(d.Params)) {
		argv = append(argv, name+"="+d.Params[name])
	}
	return call{Program: program.Program{Argv: append(argv, "-T", d.stonithAction(), node)}}
}

func (d *Device) stonithAction() string {
	if d.Action == "reboot" {
		return "reset"
	}
	return d.Action
}

// stdin returns a file with a text to be read, which is no file of a file system; nil
// for no text.
func stdin(text string) (*os.File, error) {
	if text == "" {
		return nil, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	go func() { // a pipe may be shorter than the text
		_, _ = w.WriteString(text)
		_ = w.Close()
	}()
	return r, nil
}
