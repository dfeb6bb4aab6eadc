package conf

import (
	"cmp"
	"context"
	"time"
)

// directorTimeout bounds how long RuntimeDir and JournalPath wait for the file system.
const directorTimeout = 3 * time.Second

// RuntimeDir returns the runtime directory that the file at path names, even
// when the rest of the file is wrong. Where that cannot be told, or the file
// does not answer within a few seconds, it returns the default.
func RuntimeDir(path string) string {
	return cmp.Or(director(path).RuntimeDir, defaultRuntimeDir)
}

// RuntimeDirDoubt returns why RuntimeDir may not be what the file at path says: what is
// wrong with the file, or with one that it includes. It is nil if RuntimeDir is.
func RuntimeDirDoubt(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), directorTimeout)
	defer cancel()
	first, err := await(ctx, path, system, func(env environment) error {
		r := newReader(env)
		r.gather(path)
		if len(r.errs) > 0 {
			return r.errs[0]
		}
		return nil
	})
	return cmp.Or(err, first)
}

// JournalPath does the same for the journal file; "" means that there is none.
func JournalPath(path string) string {
	d := director(path)
	if d.RuntimeDir == "" {
		return defaultJournal(defaultRuntimeDir)
	}
	return d.Journal
}

// director returns what can be told of the table [director] of a file. It parses no
// other table: to parse thousands of services takes longer than most commands do.
func director(path string) Director {
	ctx, cancel := context.WithTimeout(context.Background(), directorTimeout)
	defer cancel()
	d, _ := await(ctx, path, system, func(env environment) (d Director) {
		read := env.readFile
		env.readFile = func(name string) ([]byte, error) {
			src, err := read(name)
			return []byte(directorExcerpt(string(src))), err
		}
		r := newReader(env)
		r.root(r.gather(path)).sub("director", d.visit)
		return d
	})
	return d
}
