package conf

import (
	"bytes"
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
	d, _ := director(path)
	return cmp.Or(d.RuntimeDir, defaultRuntimeDir)
}

// RuntimeDirDoubt returns why RuntimeDir may not be what the file at path says: what is
// wrong with the file, or with one that it includes. It is nil if RuntimeDir is.
func RuntimeDirDoubt(path string) error {
	_, err := director(path)
	return err
}

// JournalPath does the same for the journal file; "" means that there is none.
func JournalPath(path string) string {
	d, _ := director(path)
	if d.RuntimeDir == "" {
		return defaultJournal(defaultRuntimeDir)
	}
	return d.Journal
}

// director returns what can be told of the table [director] of a file, and the first
// error if the file or one that it includes could not be read.
func director(path string) (Director, error) {
	ctx, cancel := context.WithTimeout(context.Background(), directorTimeout)
	defer cancel()
	type told struct {
		director Director
		err      error
	}
	t, err := await(ctx, path, system, func(env environment) told {
		if src, err := env.readFile(path); err == nil && !placing(src) {
			return told{director: placesOf(newReader(env), value{file: path, line: 1, data: map[string]value{}})}
		}
		r := newReader(env)
		root := r.gather(path)
		var err error
		if len(r.errs) > 0 {
			err = r.errs[0]
		}
		return told{placesOf(r, root), err}
	})
	return t.director, cmp.Or(err, t.err)
}

// placing reports whether src can say where the daemon keeps its files: by one of the two
// keys, by a file that it includes, or by a key that is written with escapes. To parse
// thousands of services takes longer than most commands do.
func placing(src []byte) bool {
	for _, word := range []string{"runtime_dir", "journal", "include", `\`} {
		if bytes.Contains(src, []byte(word)) {
			return true
		}
	}
	return false
}

// placesOf reads the table [director] alone.
func placesOf(r *reader, root value) (d Director) {
	r.root(root).sub("director", d.visit)
	return d
}
