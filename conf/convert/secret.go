package convert

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// A Secret is a file to be written with mode 600.
type Secret struct {
	Path    string // absolute
	Content []byte
}

// Secrets are the secrets of a draft. Equal secrets share a file.
type Secrets struct {
	list []Secret
}

// Secret returns the path of the file for a secret: dir/base.ext, or base-2.ext and so
// on if other secrets have these files already.
func (d *Draft) Secret(dir, base, ext, secret string) string {
	for _, s := range d.secrets.list {
		if string(s.Content) == secret+"\n" {
			return s.Path
		}
	}
	file := path.Join(dir, base+"."+ext)
	for n := 2; d.secrets.has(file); n++ {
		file = path.Join(dir, fmt.Sprintf("%s-%d.%s", base, n, ext))
	}
	d.secrets.list = append(d.secrets.list, Secret{file, []byte(secret + "\n")})
	return file
}

func (s *Secrets) has(file string) bool {
	return slices.ContainsFunc(s.list, func(x Secret) bool { return x.Path == file })
}

// read returns the content of a file that does not exist yet.
func (s *Secrets) read(file string) ([]byte, error) {
	for _, x := range s.list {
		if x.Path == file {
			return x.Content, nil
		}
	}
	return nil, fmt.Errorf("open %s: %w", file, fs.ErrNotExist)
}
