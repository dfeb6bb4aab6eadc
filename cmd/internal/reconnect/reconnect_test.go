package reconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newLoop returns a loop with pauses of 1 s to 8 s that logs to w.
func newLoop(w io.Writer) *Loop {
	return &Loop{
		Log:       slog.New(slog.NewTextHandler(w, nil)),
		Connected: "connected to the peer", Lost: "no connection to the peer",
		Min: time.Second, Max: 8 * time.Second, Steady: time.Minute,
	}
}

// The pause doubles up to Max. It begins anew only after a connection that lasted.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lasting := []time.Duration{0, 0, 0, 0, 0, 0, time.Minute - 1, time.Minute, 0, 0}
		var pauses []time.Duration
		ended := time.Now()
		newLoop(io.Discard).Run(t.Context(), func(func()) error {
			pauses = append(pauses, time.Since(ended))
			if len(pauses) > len(lasting) {
				return nil
			}
			time.Sleep(lasting[len(pauses)-1])
			ended = time.Now()
			return errors.New("away")
		})
		var want []time.Duration
		for _, seconds := range []int{0, 1, 2, 4, 8, 8, 8, 8, 1, 2, 4} {
			want = append(want, time.Duration(seconds)*time.Second)
		}
		if diff := cmp.Diff(want, pauses); diff != "" {
			t.Errorf("pauses (-want +got):\n%s", diff)
		}
	})
}

// The log says once that the peer is away, with the first error, and once that it is
// back.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		n := 0
		newLoop(&log).Run(t.Context(), func(up func()) error {
			n++
			switch n {
			case 3, 4, 7:
				up()
			case 9:
				return nil
			}
			return fmt.Errorf("error %d", n)
		})
		var got []string
		for line := range strings.Lines(log.String()) {
			_, text, _ := strings.Cut(line, "msg=")
			got = append(got, strings.TrimSpace(text))
		}
		want := []string{
			`"no connection to the peer" err="error 1"`,
			`"connected to the peer"`, `"no connection to the peer" err="error 3"`,
			`"connected to the peer"`, `"no connection to the peer" err="error 4"`,
			`"connected to the peer"`, `"no connection to the peer" err="error 7"`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("the log: %s", cmp.Diff(want, got))
		}
	})
}

// The loop ends with its context, during a pause and during a connection. The error
// of the connection that is cut off is not logged.
func TestEnd(t *testing.T) {
	for name, lasting := range map[string]time.Duration{"pause": 0, "connection": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				from := time.Now()
				const end = 100 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), end)
				defer cancel()
				newLoop(&log).Run(ctx, func(up func()) error {
					up()
					select {
					case <-ctx.Done():
					case <-time.After(lasting):
					}
					return errors.New("over")
				})
				if took := time.Since(from); took != end {
					t.Errorf("ended after %v, want %v", took, end)
				}
				if got, want := strings.Contains(log.String(), "no connection"), lasting == 0; got != want {
					t.Errorf("logged the loss: %v, want %v:\n%s", got, want, log.String())
				}
			})
		})
	}
}
