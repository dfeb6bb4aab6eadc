package director

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/conf"
)

// A reload says which sessions it adds, changes and removes, and nothing of
// those that stay.
func TestDescribeBFD(t *testing.T) {
	session := func(name string, minTx time.Duration) conf.BFD { return conf.BFD{Name: name, MinTx: minTx} }
	old := &conf.Config{BFD: []conf.BFD{session("stays", 1), session("changes", 1), session("goes", 1)}}
	new := &conf.Config{BFD: []conf.BFD{session("comes", 1), session("changes", 2), session("stays", 1)}}
	var said []string
	describeBFD(old, new, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	if want := []string{"add bfd comes", "change bfd changes", "remove bfd goes"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
}

// Over a single hop packets arrive as they were sent; each router on the way
// takes one from their TTL.
func TestBFDHops(t *testing.T) {
	for _, tt := range []struct {
		conf conf.BFD
		want uint8
	}{{conf.BFD{}, 255}, {conf.BFD{Multihop: true, MaxHops: 1}, 254}, {conf.BFD{Multihop: true, MaxHops: 254}, 1}} {
		if got := bfdConfig(&tt.conf).MinTTL; got != tt.want {
			t.Errorf("%d routers: TTL of %d at least, want %d", tt.conf.MaxHops, got, tt.want)
		}
	}
}
