package conf

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
)

// maxAbandoned bounds how many loads may hang at once. Each holds a thread in
// the kernel until its file server answers or is unmounted.
const maxAbandoned = 4

// hanging has one element for each load that runs under a context.
var hanging = make(chan struct{}, maxAbandoned)

// loadContext is load that returns when ctx ends.
func loadContext(ctx context.Context, path string, env environment) (*Config, Errors, error) {
	type result struct {
		c        *Config
		warnings Errors
		err      error
	}
	r, err := await(ctx, path, env, func(env environment) result {
		c, warnings, err := load(path, env)
		return result{c, warnings, err}
	})
	if err != nil {
		return nil, nil, Errors{{File: path, Message: err.Error()}}
	}
	return r.c, r.warnings, r.err
}

// await returns what read makes of the file at path and an environment, or an
// error when ctx ends first. Then read goes on without anybody waiting for it:
// the kernel does not interrupt a read from a dead file server.
func await[T any](ctx context.Context, path string, env environment, read func(environment) T) (got T, err error) {
	select {
	case hanging <- struct{}{}:
	default:
		return got, fmt.Errorf("was not read: %d earlier attempts still wait for their files", maxAbandoned)
	}
	var at atomic.Pointer[string]
	at.Store(&path)
	done := make(chan T, 1)
	go func() {
		defer func() { <-hanging }()
		done <- read(env.watched(&at))
	}()
	select {
	case got = <-done:
		return got, nil
	case <-ctx.Done():
		return got, fmt.Errorf("was not read: no answer from the file system about %s: %w", *at.Load(), context.Cause(ctx))
	}
}

// watched notes in at the path that is being read.
func (e environment) watched(at *atomic.Pointer[string]) environment {
	w := e
	w.readFile = func(path string) ([]byte, error) { at.Store(&path); return e.readFile(path) }
	w.glob = func(pattern string) ([]string, error) { at.Store(&pattern); return e.glob(pattern) }
	w.realPath = func(path string) string { at.Store(&path); return e.realPath(path) }
	if e.readSecret != nil {
		w.readSecret = func(path string) ([]byte, error) { at.Store(&path); return e.readSecret(path) }
	}
	if e.stat != nil {
		w.stat = func(path string) (os.FileInfo, error) { at.Store(&path); return e.stat(path) }
	}
	return w
}
