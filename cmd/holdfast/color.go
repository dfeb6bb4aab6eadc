package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// A color is a foreground color of a terminal (SGR of ECMA-48).
type color int

// The colors.
const (
	red    color = 31
	green  color = 32
	yellow color = 33
)

// paint returns text in the color.
func (c color) paint(text string) string { return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text) }

// A colorMode is the value of --color.
type colorMode string

// flag adds --color to a command.
func (m *colorMode) flag(cmd *cobra.Command) {
	*m = "auto"
	cmd.Flags().Var(m, "color", "`when` to use colours: auto (on a terminal, unless NO_COLOR is set), always or never")
}

// String implements pflag.Value.
func (m *colorMode) String() string { return string(*m) }

// Type implements pflag.Value.
func (m *colorMode) Type() string { return "when" }

// Set implements pflag.Value.
func (m *colorMode) Set(text string) error {
	switch text {
	case "auto", "always", "never":
		*m = colorMode(text)
		return nil
	}
	return fmt.Errorf("must be auto, always or never")
}

// on reports whether to print in colors. NO_COLOR is that of no-color.org.
func (m colorMode) on(out io.Writer) bool {
	switch m {
	case "always":
		return true
	case "never":
		return false
	}
	return isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
