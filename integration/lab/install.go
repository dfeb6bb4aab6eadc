package lab

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"holdfast/integration/tools"
)

// Own gives the daemon an installed binary of its own, so that Install
// replaces nobody else's. It counts from the next start.
func (d *Daemon) Own() {
	d.host.lab.t.Helper()
	from := d.binary
	d.binary = filepath.Join(d.host.lab.dir, d.host.Name+"-bin", "holdfast")
	d.Install(from)
}

// Tagged builds holdfast with a build tag and returns the program's path.
func (l *Lab) Tagged(tag string) string {
	l.t.Helper()
	root, err := tools.ModuleRoot()
	if err != nil {
		l.t.Fatalf("build holdfast with the tag %s: %v", tag, err)
	}
	path := filepath.Join(l.dir, "holdfast-"+tag)
	build := exec.Command("go", "build", "-trimpath", "-tags", tag, "-o", path, "./cmd/holdfast")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		l.t.Fatalf("build holdfast with the tag %s: %v\n%s", tag, err, out)
	}
	return path
}

// Install puts a copy of a program in the place of the daemon's binary, as a
// package manager does: a new file under the old name.
func (d *Daemon) Install(program string) {
	d.host.lab.t.Helper()
	if err := replaceProgram(program, d.binary); err != nil {
		d.host.lab.t.Fatalf("install %s: %v", program, err)
	}
}

func replaceProgram(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	// A program that another test starts meanwhile would have the file open for writing until
	// its exec, and nobody could run it (ETXTBSY).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// Binary is the path of the program that the daemon is started from.
func (d *Daemon) Binary() string { return d.binary }

// As is the daemon as the command line of another binary sees it.
func (d *Daemon) As(program string) *Daemon {
	other := *d
	other.binary = program
	return &other
}
