package probe

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
)

// File reads a number from a file of this host. Without a weight, 0 is well and any
// other number is not. With a weight, the product of both is added to the weight of
// the server.
type File struct {
	File    string // the absolute path
	Weight  int
	Reverse bool // without a weight: 0 is not well and others are; with one: the number changes its sign
	Missing int  // the number while the file is missing or contains none
}

// fileFault is the product at and below which a server is not well, as for
// keepalived's FILE_CHECK (keepalived.conf(5)).
const fileFault = math.MinInt32

// Kind returns "file".
func (File) Kind() string { return "file" }

// Needs returns NeedsThisHost.
func (File) Needs() Needs { return NeedsThisHost }

// Validate implements Settings.
func (s File) Validate() FieldErrors {
	var errs FieldErrors
	if s.File == "" {
		errs.Addf("file", "is required with type = \"file\"")
	}
	return errs
}

// Files read numbers from files, and tell when they may have changed. The director
// has the implementation.
type Files interface {
	// Number returns the number in a file, or why there is none.
	Number(path string) (n int, problem string)
	// Watch calls changed, from another goroutine, when the file may contain something
	// else, until stop is called. Neither Watch nor stop waits for changed.
	Watch(path string, changed func()) (stop func())
}

func (s File) prober(t *Tools, _ Target) Prober { return &fileProber{File: s, files: t.Files} }

// A fileProber reads in a goroutine of its own, because a file server that is dead
// can hold a read for ever.
type fileProber struct {
	File
	files Files

	warning string
	reading atomic.Bool
}

// Watch implements Watcher.
func (p *fileProber) Watch(changed func()) (stop func()) {
	if p.files == nil {
		return func() {}
	}
	return p.files.Watch(p.File.File, changed)
}

// Probe implements Prober.
func (p *fileProber) Probe(ctx context.Context) error {
	_, err := p.ProbeWeight(ctx)
	return err
}

// ProbeWeight implements Weigher.
func (p *fileProber) ProbeWeight(ctx context.Context) (*Weight, error) {
	n, problem, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	p.note(problem)
	w, err := p.effect(n)
	if err != nil && problem != "" {
		err = fmt.Errorf("%s, which counts as %d", problem, n)
	}
	return w, err
}

// Warning implements Warner.
func (p *fileProber) Warning() string { return p.warning }

// note notes why the file contains no number.
func (p *fileProber) note(problem string) {
	p.warning = problem
	if problem != "" {
		p.warning += fmt.Sprintf(", which counts as %d", p.Missing)
	}
}

// read returns the number that counts, and why it is not from the file.
func (p *fileProber) read(ctx context.Context) (n int, problem string, err error) {
	if p.files == nil {
		return 0, "", Inconclusive(fmt.Errorf("no files are read here"))
	}
	slow := Inconclusive(fmt.Errorf("reading %s takes very long", p.File.File))
	if p.reading.Swap(true) {
		return 0, "", slow
	}
	type result struct {
		n       int
		problem string
	}
	found := make(chan result, 1)
	go func() {
		n, problem := p.files.Number(p.File.File)
		if problem != "" {
			n = p.Missing
		}
		p.reading.Store(false)
		found <- result{n, problem}
	}()
	select {
	case r := <-found:
		return r.n, r.problem, nil
	case <-ctx.Done():
		return 0, "", slow
	}
}

// effect returns what a number does to the server.
func (p *fileProber) effect(n int) (*Weight, error) {
	if p.Weight == 0 {
		if (n != 0) != p.Reverse {
			return nil, fmt.Errorf("%s contains %d", p.File.File, n)
		}
		return nil, nil
	}
	// Both are bounded first because the product must not overflow.
	product := bound32(int64(n)) * bound32(int64(p.Weight))
	if p.Reverse {
		product = -product
	}
	if product <= fileFault {
		return nil, fmt.Errorf("%s contains %d, which times %d is a failure", p.File.File, n, p.Weight)
	}
	return &Weight{Mode: Delta, N: int(bound32(product))}, nil
}

func bound32(n int64) int64 { return min(max(n, math.MinInt32), math.MaxInt32) }
