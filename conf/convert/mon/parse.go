package mon

import (
	"path"
	"strings"

	"holdfast/conf/convert"
)

// A line is a logical line without the blanks around it; "" ends a definition.
type line struct {
	at       convert.Position
	text     string
	comments []string // right above it
}

// lines returns the logical lines of a file. A line that begins with # is no line at
// all. A backslash at the end joins a line with the next, without its indentation.
func lines(f convert.File) []line {
	var all []line
	var comments []string
	open, goesOn := line{}, false
	for i, text := range strings.Split(strings.TrimSuffix(f.Text, "\n"), "\n") {
		if comment, ok := strings.CutPrefix(strings.TrimSpace(text), "#"); ok {
			if comment = strings.TrimSpace(comment); comment != "" {
				comments = append(comments, comment)
			}
			continue
		}
		if !goesOn {
			open = line{at: convert.Position{File: f.Name, Line: i + 1}, comments: comments}
			comments = nil
		} else {
			text = strings.TrimLeft(text, " \t")
		}
		text, goesOn = strings.CutSuffix(strings.TrimRight(text, " \t\r"), `\`)
		open.text += text
		if !goesOn {
			open.text = strings.TrimSpace(open.text)
			all = append(all, open)
		}
	}
	return all // mon loses a last line that ends with a backslash
}

var (
	m4Sign   = convert.Pattern(`(?m)^\s*(dnl\b|(define|include|changequote|undivert)\()`)
	authSign = convert.Pattern(`(?m)^\s*(command|trap)\s+section`)
)

// needsM4 reports whether a file is written for m4.
func needsM4(f convert.File) bool { return path.Ext(f.Name) == ".m4" || m4Sign().MatchString(f.Text) }

// isAuth reports whether a file is auth.cf.
func isAuth(f convert.File) bool {
	return path.Base(f.Name) == "auth.cf" || authSign().MatchString(f.Text)
}
