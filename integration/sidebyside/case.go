package sidebyside

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/integration/tools"
)

// A Case is a configuration of keepalived, and what the hosts need to run it.
type Case struct {
	Name string
	// Quick is true for the cases of the short run: together they have much of what the
	// others have.
	Quick bool
	// File is the path of the configuration below the root of the fetched packages, or
	// an absolute path.
	File string
	// Text is the configuration where there is no File.
	Text string
	// ID is the name by which keepalived chooses the lines that begin with @.
	ID string
	// Edit has replacements that both sides get before anything else, in pairs: what
	// cannot be so in a namespace, and times of minutes.
	Edit []string
	// RoutersOnly leaves out the first virtual server and all that follows.
	RoutersOnly bool
	// Masters is the number of virtual routers that become MASTER.
	Masters int
	// Addresses are further ones of devices: "eth0 192.0.2.1/24".
	Addresses []string
	// Servers are the stand-ins of the realservers: "https 192.0.2.1:443".
	Servers []string
	// Dead are those of Servers that end for a while, and Gone the addresses of the
	// realservers that then get nothing.
	Dead, Gone []string
	// Falters is what keepalived's log has if it does not get where the servers are by
	// itself: then holdfast alone must. "" is for a keepalived that does.
	Falters string
	// Differs has the differences that stay.
	Differs []Difference
}

// A Difference is a line that only one of the programs has, or has otherwise.
type Difference struct {
	What       string // "addresses", "routes" …
	Keepalived string // the line of keepalived; empty if it has none
	Holdfast   string // the line of holdfast; empty if it has none
	Why        string
	Sometimes  bool // it depends on which of two things is quicker
}

// Chosen returns all cases, or only the quick ones.
func Chosen(all bool, cases ...Case) []Case {
	if all {
		return cases
	}
	return slices.DeleteFunc(slices.Clone(cases), func(c Case) bool { return !c.Quick })
}

// config returns the text of the configuration.
func (c Case) config(t *testing.T) string {
	t.Helper()
	text := c.Text
	if c.File != "" {
		text = c.read(t)
	}
	if c.RoutersOnly {
		text, _, _ = strings.Cut(text, "\nvirtual_server ")
	}
	return text
}

func (c Case) read(t *testing.T) string {
	t.Helper()
	path := c.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(tools.Cache(), "root", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		tools.Without(t, "netns", err)
	}
	return string(text)
}
