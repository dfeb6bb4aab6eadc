package conf

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is an environment in which the read of one path hangs until release is
// called, like a file on a dead server.
func stuck(src, path string) (env environment, release func()) {
	env = nowhere(src)
	dead := make(chan struct{})
	read := env.readFile
	env.readFile = func(name string) ([]byte, error) {
		if name == path {
			<-dead
			return nil, os.ErrDeadlineExceeded
		}
		return read(name)
	}
	return env, func() { close(dead) }
}

// A load that hangs ends with its context, and its error names the file.
func TestLoadContextGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, release := stuck("include = [\"a.toml\"]\n", "a.toml")
		defer release()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		c, _, err := loadContext(ctx, "fuzz.toml", env)
		want := "fuzz.toml: was not read: no answer from the file system about a.toml: context deadline exceeded"
		if c != nil || err == nil || err.Error() != want || time.Since(start) != 3*time.Second {
			t.Errorf("after %v: %v, want %s", time.Since(start), err, want)
		}
		if _, ok := errors.AsType[Errors](err); !ok {
			t.Errorf("the error is a %T", err)
		}
	})
}

// The number of loads that hang is bounded. A load that ends no longer counts.
func TestLoadContextBoundsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, release := stuck("", "fuzz.toml")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range maxAbandoned {
			if _, _, err := loadContext(ended, "fuzz.toml", env); err == nil || !strings.Contains(err.Error(), "no answer") {
				t.Fatalf("got %v", err)
			}
		}
		if _, _, err := loadContext(t.Context(), "fuzz.toml", env); err == nil || !strings.Contains(err.Error(), "4 earlier attempts still wait") {
			t.Errorf("one too many: got %v", err)
		}
		release()
		synctest.Wait()
		if c, _, err := loadContext(t.Context(), "fuzz.toml", nowhere(instance("a", "1"))); err != nil || c.VRRP[0].Name != "a" {
			t.Errorf("after the server came back: %v", err)
		}
	})
}
