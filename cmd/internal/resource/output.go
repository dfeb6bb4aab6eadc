package resource

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
)

// maxOutput is how many bytes a program, and all that it starts, can write.
const maxOutput = 64 << 10

// newOutput returns a file in memory for the output of a program. It is no pipe,
// because a daemon that the program leaves behind, or the program itself after an
// upgrade of holdfast, would be killed by SIGPIPE when it writes. It cannot grow: to
// write more than maxOutput is an error (fcntl(2), F_SEAL_GROW).
func newOutput() (*os.File, error) {
	fd, err := unix.MemfdCreate("resource", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make a file for the output: %w", err)
	}
	f := os.NewFile(uintptr(fd), "output")
	if err := f.Truncate(maxOutput); err != nil {
		return nil, fmt.Errorf("make a file for the output: %w", err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW); err != nil {
		return nil, fmt.Errorf("make a file for the output: %w", err)
	}
	return f, nil
}

// lastLine returns the last line of what was written.
func lastLine(f *os.File) string {
	end, err := f.Seek(0, io.SeekCurrent)
	if err != nil || end == 0 {
		return ""
	}
	tail := &program.Tail{}
	_, _ = io.Copy(tail, io.NewSectionReader(f, 0, end))
	return tail.LastLine()
}
