package convert

import "net/netip"

// An Input is what a converter reads.
type Input struct {
	Files []File
	// Director is the value of --director: the director to convert for; "" if it was
	// not given.
	Director string
	// Host is the name of this host.
	Host string
	// Dir is the directory of the new configuration, where its secrets go.
	Dir string
	// Glob returns the paths that match a pattern, sorted, and Read the content of a
	// file. They serve files that an input includes. A nil function finds nothing.
	Glob func(pattern string) ([]string, error)
	Read func(path string) ([]byte, error)
	// Lookup returns the addresses of a host; nil: no host has one.
	Lookup func(host string) ([]netip.Addr, error)
	// Getenv returns the value of an environment variable; nil: none is set.
	Getenv func(name string) string
}
