package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/status"
)

// lookOn returns the look of a section of the status on out. A line of a terminal is left
// for the prompt.
func lookOn(out io.Writer, section status.Section, color colorMode) status.Look {
	look := status.Look{Section: section, Colour: color.on(out)}
	if isTerminal(out) {
		look.Width, look.Height = terminalSize(out)
		look.Height = max(0, look.Height-1)
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
