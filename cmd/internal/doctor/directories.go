package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// directoryFacts describe the runtime directory.
type directoryFacts struct {
	Path   string
	Exists bool
	IsDir  bool
	Mode   fs.FileMode
	Free   uint64 // bytes that are free for a user without privileges
	Fixed  bool   // the file system is mounted read-only
}

func lookAtDirectories(_ context.Context, p *Patient) (directoryFacts, error) {
	f := directoryFacts{Path: p.Config.Director.RuntimeDir}
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("look at the runtime directory: %w", err)
	}
	f.Exists, f.IsDir, f.Mode = true, info.IsDir(), info.Mode().Perm()
	var s syscall.Statfs_t
	if err := syscall.Statfs(f.Path, &s); err != nil {
		return f, fmt.Errorf("look at the file system of %s: %w", f.Path, err)
	}
	f.Free, f.Fixed = s.Bavail*uint64(s.Bsize), s.Flags&syscall.MS_RDONLY != 0
	return f, nil
}

// leastSpace is what the files of the runtime directory may need at a failover.
const leastSpace = 4 << 20

func judgeDirectories(p *Patient, f directoryFacts) (found []Finding) {
	const why = "holdfast notes there what it changes in the kernel. Without these notes it cannot put everything back."
	switch {
	case !f.Exists && p.Status != nil:
		found = append(found, Finding{Severity: Error, What: fmt.Sprintf("the runtime directory %s is gone, and the daemon runs", f.Path),
			Why: why, Cure: "holdfast upgrade, which makes it again"})
	case !f.Exists:
	case !f.IsDir:
		found = append(found, Finding{Severity: Error, What: fmt.Sprintf("%s is not a directory", f.Path), Why: why,
			Cure: "remove it, or name another runtime_dir in [director]"})
	case f.Fixed:
		found = append(found, Finding{Severity: Error, What: fmt.Sprintf("the file system of %s is mounted read-only", f.Path), Why: why,
			Cure: "name a runtime_dir below /run in [director]"})
	case f.Free < leastSpace:
		found = append(found, Finding{Severity: Warning, What: fmt.Sprintf("the file system of %s has %d KiB left", f.Path, f.Free>>10), Why: why,
			Cure: "df -h " + f.Path + " and remove what fills it"})
	}
	if f.IsDir && f.Mode&0o022 != 0 {
		found = append(found, Finding{Severity: Warning, What: fmt.Sprintf("others can write in the runtime directory %s (mode %04o)", f.Path, f.Mode),
			Why: "Whoever can write there can put a control socket of his own in the place of the daemon's.", Cure: "chmod go-w " + f.Path})
	}
	return found
}
