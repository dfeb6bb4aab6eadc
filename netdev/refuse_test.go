package netdev

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"

	"github.com/google/nftables"
	mdlayher "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

func refusedSpec() Spec {
	return Spec{
		Name: "vrrp4-51", Parent: "eth0", MAC: frame.MAC{0, 0, 0x5e, 0, 1, 51}, IPv6: true, Refuse: true,
		Addresses: []Address{
			{Prefix: netip.MustParsePrefix("10.0.0.100/24")}, {Prefix: netip.MustParsePrefix("2001:db8::100/64")},
		},
	}
}

// refusedNow returns the addresses of the host's table, "" if it is not there.
func refusedNow(t *testing.T, h *Host) string {
	t.Helper()
	c, err := dialFirewall()
	testns.Must(t, err)
	table, err := h.refusal.find(c)
	testns.Must(t, err)
	if table == nil {
		return ""
	}
	var all []string
	for _, name := range []string{setIPv4, setIPv6} {
		held, err := c.GetSetElements(&nftables.Set{Table: table, Name: name})
		testns.Must(t, err)
		for _, e := range held {
			a, _ := netip.AddrFromSlice(e.Key)
			all = append(all, a.String())
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// A host that refuses its virtual addresses resolves them and answers nothing.
func TestRefuse(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Enter()
	dir := t.TempDir()
	h, err := OpenHost(Options{RuntimeDir: dir})
	testns.Must(t, err)
	_, err = h.Ensure(refusedSpec())
	testns.Must(t, err)
	if got := refusedNow(t, h); got != "10.0.0.100 2001:db8::100" {
		t.Errorf("before the addresses are up, refused are %q", got)
	}
	testns.Must(t, h.Claim("vrrp4-51"))
	for address, want := range map[string]bool{"10.0.0.100": false, "2001:db8::100": false, "10.0.0.1": true, "2001:db8::1": true} {
		wait := testns.Briefly
		if want {
			wait = testns.Soon
		}
		if got := p.Neighbour.Answers(address, wait); got != want {
			t.Errorf("%s answers: %v", address, got)
		}
	}
	// They resolve all the same, and again when they have been forgotten.
	for address, family := range map[string]string{"10.0.0.100": "-4", "2001:db8::100": "-6"} {
		got := p.Neighbour.Run("ip " + family + " neighbour show " + address)
		if !strings.Contains(got, "00:00:5e:00:01:33") {
			t.Errorf("%s does not resolve: %q", address, got)
		}
	}
	for from, to := range map[string]string{"10.0.0.100": "10.0.0.9", "2001:db8::100": "2001:db8::9"} {
		if p.Director.AnswersTo(from, to, testns.Briefly) {
			t.Errorf("packets leave from %s", from)
		}
	}
	reconcile := func(what string, want int) {
		t.Helper()
		p.Director.Enter()
		repairs, err := h.Reconcile()
		testns.Must(t, err)
		if len(repairs) != want || want > 0 && !strings.Contains(repairs[0].Text, h.refusal.name) {
			t.Errorf("%s: repairs %v", what, repairs)
		}
		if got := refusedNow(t, h); got != "10.0.0.100 2001:db8::100" {
			t.Errorf("%s: refused are %q", what, got)
		}
	}
	reconcile("nobody changed anything", 0)
	for what, change := range map[string]func(*nftables.Conn, *nftables.Table, *nftables.Chain, []*nftables.Rule){
		"flush ruleset": func(c *nftables.Conn, _ *nftables.Table, _ *nftables.Chain, _ []*nftables.Rule) { c.FlushRuleset() },
		"flush chain": func(c *nftables.Conn, _ *nftables.Table, chain *nftables.Chain, _ []*nftables.Rule) {
			c.FlushChain(chain)
		},
		"delete rule": func(c *nftables.Conn, _ *nftables.Table, _ *nftables.Chain, rules []*nftables.Rule) {
			testns.Must(t, c.DelRule(rules[len(rules)-1]))
		},
		"flush set": func(c *nftables.Conn, table *nftables.Table, _ *nftables.Chain, _ []*nftables.Rule) {
			c.FlushSet(&nftables.Set{Table: table, Name: setIPv6})
		},
	} {
		p.Director.Enter()
		c, err := dialFirewall()
		testns.Must(t, err)
		table, err := h.refusal.find(c)
		testns.Must(t, err)
		chain, err := c.ListChain(table, "input")
		testns.Must(t, err)
		chain.Table = table
		rules, err := c.GetRules(table, chain)
		testns.Must(t, err)
		change(c, table, chain, rules)
		testns.Must(t, c.Flush())
		reconcile(what, 1)
	}
	if p.Neighbour.Answers("10.0.0.100", testns.Briefly) {
		t.Error("answers after the repairs")
	}

	// A second daemon in the namespace is another table.
	p.Director.Enter()
	other, err := OpenHost(Options{RuntimeDir: t.TempDir(), Owner: "other"})
	testns.Must(t, err)
	s := refusedSpec()
	s.Name, s.MAC[5], s.Addresses = "vrrp4-52", 52, []Address{{Prefix: netip.MustParsePrefix("10.0.0.101/24")}}
	_, err = other.Ensure(s)
	testns.Must(t, err)
	testns.Must(t, other.Close())
	reconcile("another daemon came and went", 0)

	// A crash leaves the table, the next run takes it over.
	h.conn.Close()
	h, err = OpenHost(Options{RuntimeDir: dir})
	testns.Must(t, err)
	less := refusedSpec()
	less.Keep, less.Addresses = true, less.Addresses[:1]
	_, err = h.Ensure(less)
	testns.Must(t, err)
	if got := refusedNow(t, h); got != "10.0.0.100" {
		t.Errorf("after a crash and a shorter list, refused are %q", got)
	}
	less.Refuse = false
	_, err = h.Ensure(less)
	testns.Must(t, err)
	if got := refusedNow(t, h); got != "" {
		t.Errorf("refused are %q though all is accepted", got)
	}
	if !p.Neighbour.Answers("10.0.0.100", testns.Soon) {
		t.Error("no answer though all is accepted")
	}
	p.Director.Enter()
	less.Refuse = true
	_, err = h.Ensure(less)
	testns.Must(t, err)
	testns.Must(t, h.Close())
	if got := refusedNow(t, h); got != "" {
		t.Errorf("refused are %q after the end", got)
	}
}

// A kernel without nftables is told apart from one that refuses something else.
func TestRefuseWithoutNFTables(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		unix.EINVAL: "has no nftables", unix.EOPNOTSUPP: "has no nftables", unix.EPERM: "list nftables tables",
	} {
		c, err := nftables.New(nftables.WithTestDial(func([]mdlayher.Message) ([]mdlayher.Message, error) { return nil, errno }))
		testns.Must(t, err)
		_, err = (&refusal{name: "holdfast-0"}).find(c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", errno, err, want)
		}
	}
	refusing, other := &device{spec: refusedSpec()}, &device{spec: Spec{Name: "other"}}
	f := newFailures()
	left := stopRefusing([]*device{refusing, other}, f, errors.New("no"))
	if len(left) != 1 || left[0] != other || f.of(refusing) == nil || f.of(other) != nil {
		t.Errorf("without nftables %v are left, %v failed", left, f.objects)
	}
}
