package conf

import (
	"context"
	"os"
	"path/filepath"
)

// Load reads the configuration file at path and the files that it includes.
// Its error is an Errors that lists every mistake.
func Load(path string) (*Config, error) {
	c, _, err := load(path, system)
	return c, err
}

// LoadContext is Load with the warnings about what is valid but has no effect or
// does harm. It returns when ctx ends, even when a read still hangs because the
// file server is gone; its error then names the file.
func LoadContext(ctx context.Context, path string) (c *Config, warnings Errors, err error) {
	return loadContext(ctx, path, system)
}

// Parse is Load of a file whose content is src. What the file includes is read
// from disk, relative to path.
func Parse(path string, src []byte) (*Config, error) {
	c, _, err := parse(path, src)
	return c, err
}

// ParseDraft is Parse of a file that is not on this machine, with secrets that are
// not written yet: secret returns what a secret file will hold. Names of routing
// tables are those of this machine. The warnings are those of LoadContext.
func ParseDraft(path string, src []byte, secret func(path string) ([]byte, error)) (c *Config, warnings Errors, err error) {
	env := system
	env.readFile = func(name string) ([]byte, error) {
		if name == path {
			return src, nil
		}
		return system.readFile(name)
	}
	env.readSecret, env.stat = secret, nil
	return load(path, env)
}

func parse(path string, src []byte) (*Config, Errors, error) {
	env := system
	env.readFile = func(name string) ([]byte, error) {
		if name == path {
			return src, nil
		}
		return system.readFile(name)
	}
	return load(path, env)
}

func newReader(env environment) *reader {
	return &reader{env: env, schema: make(map[string]*schema)}
}

func load(path string, env environment) (*Config, Errors, error) {
	r := newReader(env)
	root := r.gather(path)
	if len(r.errs) > 0 {
		return nil, nil, r.failures(path)
	}
	c := r.read(root)
	if len(r.errs) > 0 {
		return nil, nil, r.failures(path)
	}
	return c, r.warnings.sorted(), nil
}

// read turns the merged tree of all files into a Config.
func (r *reader) read(root value) *Config {
	t := r.root(root)
	var c Config
	tables := c.visit(t)
	t.finish()
	c.resolve(tables)
	if len(r.errs) == 0 {
		c.warn(tables)
	}
	if len(c.VRRP) == 0 && len(c.Services) == 0 && len(r.errs) == 0 {
		// A reload of an empty file would take everything down.
		t.failf("", "a configuration needs at least one [[vrrp]] or [[service]]")
	}
	return &c
}

// root returns the table of the top level.
func (r *reader) root(v value) *table {
	t := newTable(r, "", v, v.data.(map[string]value))
	t.asked = append(t.asked, "include")
	return t
}

// An environment is how loading reaches the machine.
type environment struct {
	readFile func(path string) ([]byte, error)
	glob     func(pattern string) ([]string, error) // sorted
	realPath func(path string) string               // without symbolic links
	hostname func() (string, error)
	// readSecret reads a file that only its owner may read; nil: there are none.
	readSecret func(path string) ([]byte, error)
	// stat looks at the owner and the permissions of a file; nil: all files are private.
	stat func(path string) (os.FileInfo, error)
}

var system = environment{
	readFile: ReadFile,
	glob:     filepath.Glob,
	realPath: func(path string) string {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		return path
	},
	hostname:   os.Hostname,
	readSecret: readSecret,
	stat:       os.Stat,
}
