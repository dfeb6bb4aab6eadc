//go:build go1.27 && !plainwait

package port

import "testing"

// The wait of block.go and what is done ahead rest on Go's runtime. A newer Go builds
// wait_plain.go instead: all works, and costs more.
func TestNewerGo(t *testing.T) {
	t.Error("measure block.go with this version of Go, and raise the limit in its build tag, or take it out")
}
