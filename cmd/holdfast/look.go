package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/status"
)

// lookFlags say how the status looks.
type lookFlags struct{ colour string } // auto, always or never

func (l *lookFlags) check() error {
	switch l.colour {
	case "auto", "always", "never":
		return nil
	}
	return fmt.Errorf("status: --color must be auto, always or never, not %q", l.colour)
}

// of returns the look of a section on out. A line of the terminal is left for the prompt.
func (l *lookFlags) of(out io.Writer, section status.Section) status.Look {
	look := status.Look{Section: section, Colour: l.colour == "always"}
	if !isTerminal(out) {
		return look
	}
	look.Width, look.Height = terminalSize(out)
	look.Height = max(0, look.Height-1)
	if l.colour == "auto" {
		look.Colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return look
}

// terminalSize returns the columns and lines of a terminal; zeros if it does not tell.
func terminalSize(out io.Writer) (width, height int) {
	file, ok := out.(*os.File)
	if !ok {
		return 0, 0
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Col), int(size.Row)
}
