// Package tools finds the programs that the tests run beside holdfast. The
// script install.sh in this folder ("make tools") fetches them into a cache
// without installing anything.
package tools

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// ErrMissing is wrapped by Find when a program is nowhere to be found.
var ErrMissing = errors.New("not found (run `make tools`)")

// Cache is the folder of everything that is fetched and can be fetched again:
// $HOLDFAST_CACHE, or holdfast in the user's cache folder.
func Cache() string {
	if dir := os.Getenv("HOLDFAST_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = "/root/.cache"
	}
	return filepath.Join(dir, "holdfast")
}

// Bin is the folder of the fetched programs.
func Bin() string { return filepath.Join(Cache(), "bin") }

// ModuleRoot is the folder of go.mod, the working directory or one above it.
var ModuleRoot = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; d != "/"; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
	}
	return "", fmt.Errorf("no go.mod in %s or above it", dir)
})

// systemFolders are searched after the cache and PATH: an ordinary user's
// PATH lacks the first two, and FRR's daemons are in nobody's PATH.
var systemFolders = []string{"/usr/sbin", "/sbin", "/usr/lib/frr"}

// Find returns the path of a program: from the cache, from PATH, or from the
// folders that PATH may lack. The error wraps ErrMissing.
func Find(name string) (string, error) {
	if path := filepath.Join(Bin(), name); executable(path) {
		return path, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, folder := range systemFolders {
		if path := filepath.Join(folder, name); executable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("program %s: %w", name, ErrMissing)
}

// capabilities are what a test may lack: network namespaces with the programs that
// install.sh fetches, a kernel with IPVS, a guest of User Mode Linux, a browser with axe-core,
// what builds packages and boots a Debian with them, and processes that may have ambient
// capabilities. `make ci` requires all of them.
var capabilities = []string{"netns", "ipvs", "uml", "web", "packages", "capabilities"}

// Required reports whether one of the capabilities must be there: a test that would skip
// without it must then fail. $HOLDFAST_REQUIRE lists them, with commas.
func Required(capability string) bool {
	for _, name := range strings.Split(os.Getenv("HOLDFAST_REQUIRE"), ",") {
		if strings.TrimSpace(name) == capability {
			return true
		}
	}
	return false
}

// T is what a test offers to Without: *testing.T and *testing.B do.
type T interface {
	Helper()
	Fatal(args ...any)
	Skip(args ...any)
}

// Without ends a test that lacks a capability: it fails where the capability is
// required, and is skipped elsewhere.
func Without(t T, capability string, why any) {
	t.Helper()
	if !slices.Contains(capabilities, capability) {
		t.Fatal(fmt.Sprintf("capability %q is not among %v, so nobody would require it", capability, capabilities))
	}
	if Required(capability) {
		t.Fatal(why)
	}
	t.Skip(why) //nolint:forbidigo // here alone
}

// Root ends the test of an ordinary user who lacks the right to do something.
// Whoever requires network namespaces is root.
func Root(t T, what string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Without(t, "netns", what+": only root can")
	}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
