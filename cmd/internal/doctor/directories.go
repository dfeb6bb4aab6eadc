package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A directoryUse is what the daemon needs a directory for.
type directoryUse struct {
	name     string   // "runtime directory"
	severity Severity // of a directory that cannot be used
	why      string   // what comes of that
	remake   string   // how a directory that is gone is made again
	rename   string   // how to use another one
	openWhy  string   // what others can do who can write there; "": it does not matter
}

var (
	runtimeUse = directoryUse{
		name: "runtime directory", severity: Error,
		why:     "holdfast notes there what it changes in the kernel. Without these notes it cannot put everything back.",
		remake:  "holdfast upgrade, which makes it again",
		rename:  "name a runtime_dir below /run in [director]",
		openWhy: "Whoever can write there can put a control socket of his own in the place of the daemon's.",
	}
	journalUse = directoryUse{
		name: "directory of the journal", severity: Warning,
		why:    "holdfast keeps the events there over restarts. After a restart, holdfast events does not show what happened before.",
		remake: "make it for the user that the daemon runs as, then holdfast upgrade",
		rename: "name another file with journal in [director], or \"off\"",
	}
)

// directoryFacts describe a directory that the daemon writes in.
type directoryFacts struct {
	Use    *directoryUse
	Path   string
	Exists bool
	IsDir  bool
	Mode   fs.FileMode
	Free   uint64 // bytes that are free for a user without privileges
	Fixed  bool   // the file system is mounted read-only
}

func lookAtDirectories(_ context.Context, p *Patient) (all []directoryFacts, err error) {
	look := func(use *directoryUse, path string) {
		f, lookErr := directory(use, path)
		if lookErr != nil {
			err = errors.Join(err, lookErr)
			return
		}
		all = append(all, f)
	}
	d := &p.Config.Director
	look(&runtimeUse, d.RuntimeDir)
	if path := filepath.Dir(d.Journal); d.Journal != "" && path != filepath.Clean(d.RuntimeDir) {
		look(&journalUse, path)
	}
	return all, err
}

// directory looks at one directory.
func directory(use *directoryUse, path string) (directoryFacts, error) {
	f := directoryFacts{Use: use, Path: path}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("look at the %s: %w", use.name, err)
	}
	f.Exists, f.IsDir, f.Mode = true, info.IsDir(), info.Mode().Perm()
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return f, fmt.Errorf("look at the file system of %s: %w", path, err)
	}
	f.Free, f.Fixed = s.Bavail*uint64(s.Bsize), s.Flags&syscall.MS_RDONLY != 0
	return f, nil
}

// leastSpace is what the files of a directory may need in bytes: those of the runtime
// directory at a failover, or the two of the journal.
const leastSpace = 4 << 20

func judgeDirectories(p *Patient, all []directoryFacts) (found []Finding) {
	for _, f := range all {
		one := Finding{Severity: f.Use.severity, Why: f.Use.why}
		switch {
		case !f.Exists && p.Status != nil:
			one.What, one.Cure = fmt.Sprintf("the %s %s is gone, and the daemon runs", f.Use.name, f.Path), f.Use.remake
		case !f.Exists:
		case !f.IsDir:
			one.What, one.Cure = fmt.Sprintf("the %s %s is not a directory", f.Use.name, f.Path), "remove it, or "+f.Use.rename
		case f.Fixed:
			one.What, one.Cure = fmt.Sprintf("the file system of the %s %s is mounted read-only", f.Use.name, f.Path), f.Use.rename
		case f.Free < leastSpace:
			one.Severity = Warning
			one.What, one.Cure = fmt.Sprintf("the file system of the %s %s has %d KiB left", f.Use.name, f.Path, f.Free>>10), "df -h "+f.Path+" and remove what fills it"
		}
		if one.What != "" {
			found = append(found, one)
		}
		if f.IsDir && f.Mode&0o022 != 0 && f.Use.openWhy != "" {
			found = append(found, Finding{Severity: Warning, What: fmt.Sprintf("others can write in the %s %s (mode %04o)", f.Use.name, f.Path, f.Mode),
				Why: f.Use.openWhy, Cure: "chmod go-w " + f.Path})
		}
	}
	return found
}
