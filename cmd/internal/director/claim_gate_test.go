package director

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/conf"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// Claims of gated routers wait, but not those of others, nor claims that only refresh
// addresses. Whatever else a router orders takes its claim back.
func TestClaimGate(t *testing.T) {
	var passed, told []string
	text := func(o speaker.Order) string {
		return strings.ToLower(fmt.Sprint(vrrp.Action{Verb: o.Verb}, " ", o.Router))
	}
	g := newClaimGate()
	g.pass = func(orders []speaker.Order) {
		for _, o := range orders {
			passed = append(passed, text(o))
		}
	}
	g.told = func(o speaker.Order, held bool) { told = append(told, fmt.Sprint(text(o), " ", held)) }
	claim := func(router string) speaker.Order { return speaker.Order{Router: router, Verb: vrrp.Claim} }
	release := func(router string) speaker.Order { return speaker.Order{Router: router, Verb: vrrp.Release} }
	expect := func(want ...string) {
		t.Helper()
		if !slices.Equal(passed, want) {
			t.Errorf("passed %q, want %q", passed, want)
		}
		passed = nil
	}
	g.order([]speaker.Order{claim("a")})
	expect("claim a") // nothing is gated
	g.set(map[string]bool{"a": true})
	g.order([]speaker.Order{claim("a")})
	expect("claim a") // it had its addresses before it was gated
	g.set(nil)
	g.order([]speaker.Order{release("a")})
	expect("release a")
	g.set(map[string]bool{"a": true, "b": true})
	g.order([]speaker.Order{claim("a"), claim("b"), claim("c"), {Router: "c", Verb: vrrp.Mute}})
	expect("claim c", "mute c")
	g.order([]speaker.Order{release("b")})
	expect("release b")
	g.open([]string{"a", "b"})
	expect("claim a") // b has none any more
	g.order([]speaker.Order{claim("a")})
	expect("claim a") // it has its addresses
	g.order([]speaker.Order{{Router: "a", Verb: vrrp.Mute}, release("a"), claim("a")})
	expect("mute a", "release a")
	g.set(nil)
	expect("claim a") // a reload took the gate away
	g.holds("a")
	g.set(map[string]bool{"a": true})
	g.order([]speaker.Order{claim("a")})
	expect("claim a")
	if want := "claim a false, claim a true, claim b true, release b false, claim a false, mute a false, release a false, claim a true, claim a false"; strings.Join(told, ", ") != want {
		t.Errorf("told %q", told)
	}
}

// Who is fenced: the MASTER that no member hears and that did not give up.
func TestWhoIsLost(t *testing.T) {
	lvs2, lvs3 := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("192.168.0.3")
	for _, test := range []struct {
		name    string
		claims  []speaker.Order
		lost    netip.Addr
		planned bool
	}{
		{"nobody was heard", []speaker.Order{{Router: "a"}}, netip.Addr{}, false},
		{"by one member, by the other nobody was heard", []speaker.Order{{Router: "a", Lost: lvs2}, {Router: "b"}}, lvs2, false},
		{"by one member, the other hears it", []speaker.Order{{Router: "a", Lost: lvs2}, {Router: "b", Planned: true}}, lvs2, true},
		{"by its known address", []speaker.Order{{Router: "a", Lost: lvs3}, {Router: "b", Lost: lvs2}}, lvs2, false},
	} {
		u := &unitResources{claims: map[string]speaker.Order{}, fence: conf.Fence{Nodes: map[netip.Addr]string{lvs2: "lvs2"}}}
		for _, o := range test.claims {
			u.claims[o.Router] = o
		}
		if lost, planned := u.lost(); lost != test.lost || planned != test.planned {
			t.Errorf("%s: %v, planned %v", test.name, lost, planned)
		}
	}
}

// A node that cannot be fenced is tried again, and then what the configuration says.
func TestFencingFails(t *testing.T) {
	now := time.Now()
	broken := errors.New("no answer")
	for _, test := range []struct {
		failure conf.FenceFailure
		done    bool
		next    time.Duration
	}{{conf.FenceWait, false, fenceAgain}, {conf.FenceTake, true, fencePause}} {
		c, f := &conf.Fence{Retries: 1, OnFailure: test.failure}, fencing{attempts: 1}
		f.judge(c, broken, now)
		if f.done || f.at.Sub(now) != fencePause || f.problem != "no answer" {
			t.Errorf("%s, first: %+v", test.failure, f)
		}
		f.attempts++
		f.judge(c, broken, now)
		if f.done != test.done || f.at.Sub(now) != test.next {
			t.Errorf("%s, second: %+v", test.failure, f)
		}
		f.judge(c, nil, now)
		if !f.done || f.problem != "" {
			t.Errorf("%s, at last: %+v", test.failure, f)
		}
	}
}
