package netdev

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"holdfast/netdev/frame"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	mdlayher "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Refused addresses serve ARP, neighbour discovery and routing only: the host accepts
// no packet for them and sends none from them (RFC 9568 §6.1, Accept_Mode false). A
// table of nftables drops both. It is in the kernel as long as the device is known,
// in every state, so that a takeover does not depend on which change comes first.

// refuseTimeout bounds the wait for the kernel's answers, which come at once.
const refuseTimeout = 2 * time.Second

// ICMPv6 types that pass.
const (
	icmpMLDQuery    = 130
	icmpMLDDone     = 132
	icmpRedirect    = 137
	icmpMLDv2Report = 143
)

// A refusal is the table of one Host.
type refusal struct {
	name  string // of the table; unique to the runtime directory
	there bool   // the table is in the kernel, or may be
}

// newRefusal names the table after the runtime directory. So a crashed run and the
// next one use the same table, and two daemons use two.
func newRefusal(owner, dir string) refusal {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	return refusal{name: fmt.Sprintf("%s-%x", owner, sha256.Sum256([]byte(dir)))[:len(owner)+9]}
}

// refused returns the addresses that the host must accept no packets for, including
// those that are about to be removed.
func (h *Host) refused() []netip.Addr {
	set := map[netip.Addr]bool{}
	for _, d := range h.devices {
		if !d.spec.Refuse {
			continue
		}
		for _, a := range d.spec.Addresses {
			set[a.Prefix.Addr()] = true
		}
		for p := range d.mine {
			set[p.Addr()] = true
		}
	}
	all := make([]netip.Addr, 0, len(set))
	for a := range set {
		all = append(all, a)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// applyRefusal makes the table as it should be, in one transaction.
func (h *Host) applyRefusal() ([]Repair, error) {
	r, want := &h.refusal, h.refused()
	if len(want) == 0 && !r.there {
		return nil, nil
	}
	c, err := dialFirewall()
	if err != nil {
		return nil, fmt.Errorf("refuse packets: open nftables: %w", err)
	}
	have, err := r.find(c)
	if err != nil {
		return nil, fmt.Errorf("refuse packets: %w", err)
	}
	var text string
	switch {
	case len(want) == 0 && have == nil:
		r.there = false
		return nil, nil
	case len(want) == 0:
		text = "remove nftables table inet " + r.name
		c.DelTable(have)
	case have != nil && r.matches(c, have, want):
		r.there = true
		return nil, nil
	default:
		text = "make nftables table inet " + r.name + ", which refuses packets for addresses that are not accepted"
		if err := r.build(c, have, want); err != nil {
			return nil, fmt.Errorf("refuse packets: %w", err)
		}
	}
	if err := c.Flush(); err != nil {
		return nil, fmt.Errorf("refuse packets: change nftables: %w", err)
	}
	r.there = len(want) > 0
	return []Repair{{Text: text}}, nil
}

// dialFirewall returns a connection with a deadline. The kernel answers a transaction
// that it does not understand only once, and the library waits for more.
func dialFirewall() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *mdlayher.Conn) error {
		return c.SetDeadline(time.Now().Add(refuseTimeout))
	}))
}

// find returns our table, nil if there is none.
func (r *refusal) find(c *nftables.Conn) (*nftables.Table, error) {
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT):
		return nil, errors.New("the kernel has no nftables (module nf_tables): accept = false needs it")
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("list nftables tables: %w", err)
	}
	i := slices.IndexFunc(tables, func(t *nftables.Table) bool { return t.Name == r.name })
	if i < 0 {
		return nil, nil
	}
	return tables[i], nil
}

// A direction is one of the two chains.
type direction struct {
	name  string
	hook  *nftables.ChainHook
	at4   uint32 // offset of the address in the IPv4 header
	at6   uint32
	icmp6 [][2]byte // ranges of ICMPv6 types that pass
}

// Neighbour discovery passes in both directions. Outgoing router advertisements and
// redirects pass too, because a virtual router may send them from its link-local
// address (RFC 9568 §8.2). So do multicast listener reports, without which switches
// with MLD snooping would not forward neighbour solicitations to us.
var directions = []direction{
	{"input", nftables.ChainHookInput, 16, 24, [][2]byte{{frame.ICMPv6NS, frame.ICMPv6NA}}},
	{"output", nftables.ChainHookOutput, 12, 8, [][2]byte{{icmpMLDQuery + 1, icmpRedirect}, {icmpMLDv2Report, icmpMLDv2Report}}},
}

const (
	setIPv4 = "addresses4"
	setIPv6 = "addresses6"
)

// build replaces the table, have if it is not nil, in the transaction of c.
func (r *refusal) build(c *nftables.Conn, have *nftables.Table, want []netip.Addr) error {
	table := &nftables.Table{Name: r.name, Family: nftables.TableFamilyINet}
	if have != nil {
		c.DelTable(table)
	}
	c.AddTable(table)
	set4 := &nftables.Set{Table: table, Name: setIPv4, KeyType: nftables.TypeIPAddr}
	set6 := &nftables.Set{Table: table, Name: setIPv6, KeyType: nftables.TypeIP6Addr}
	for _, set := range []*nftables.Set{set4, set6} {
		if err := c.AddSet(set, nil); err != nil {
			return fmt.Errorf("make nftables set: %w", err)
		}
		// One message has room for some 2,000 elements.
		for some := range slices.Chunk(elements(want, set == set6), 500) {
			if err := c.SetAddElements(set, some); err != nil {
				return fmt.Errorf("fill nftables set: %w", err)
			}
		}
	}
	policy := nftables.ChainPolicyAccept
	for i := range directions {
		d := &directions[i]
		chain := c.AddChain(&nftables.Chain{
			Name: d.name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: d.hook,
			Priority: nftables.ChainPriorityFilter, Policy: &policy,
		})
		for n, e := range d.rules(set4, set6) {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: e, UserData: d.mark(n)})
		}
	}
	return nil
}

func elements(all []netip.Addr, v6 bool) []nftables.SetElement {
	var list []nftables.SetElement
	for _, a := range all {
		if a.Is6() == v6 {
			list = append(list, nftables.SetElement{Key: a.AsSlice()})
		}
	}
	return list
}

// mark returns the user data of the nth rule, which nft shows as a comment: type,
// length, and text with a final zero.
func (d *direction) mark(n int) []byte {
	text := fmt.Sprintf("holdfast %s %d\x00", d.name, n)
	return append([]byte{0, byte(len(text))}, text...)
}

// rules returns the rules of a chain: first what passes, then the addresses.
func (d *direction) rules(set4, set6 *nftables.Set) [][]expr.Any {
	var all [][]expr.Any
	family := func(f byte) []expr.Any {
		return []expr.Any{
			&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f}},
		}
	}
	for _, types := range d.icmp6 {
		all = append(all, append(family(unix.NFPROTO_IPV6),
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_ICMPV6}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
			&expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: []byte{types[0]}},
			&expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: []byte{types[1]}},
			&expr.Verdict{Kind: expr.VerdictAccept}))
	}
	drop := func(f byte, at, length uint32, set *nftables.Set) []expr.Any {
		return append(family(f),
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: length},
			&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
			&expr.Counter{},
			&expr.Verdict{Kind: expr.VerdictDrop})
	}
	return append(all, drop(unix.NFPROTO_IPV4, d.at4, 4, set4), drop(unix.NFPROTO_IPV6, d.at6, 16, set6))
}

// matches reports whether the table is as build makes it. It recognises our rules by
// their marks, which are lost when somebody edits a rule, and accepts rules that
// somebody added. A table that cannot be read does not match.
func (r *refusal) matches(c *nftables.Conn, have *nftables.Table, want []netip.Addr) bool {
	if have.Flags != 0 { // dormant
		return false
	}
	for _, v6 := range []bool{false, true} {
		name := setIPv4
		if v6 {
			name = setIPv6
		}
		held, err := c.GetSetElements(&nftables.Set{Table: have, Name: name})
		if err != nil || !sameElements(held, elements(want, v6)) {
			return false
		}
	}
	for i := range directions {
		d := &directions[i]
		chain, err := c.ListChain(have, d.name)
		if err != nil || chain.Hooknum == nil || *chain.Hooknum != *d.hook || chain.Priority == nil ||
			*chain.Priority != *nftables.ChainPriorityFilter {
			return false
		}
		rules, err := c.GetRules(have, chain)
		if err != nil || !d.present(rules) {
			return false
		}
	}
	return true
}

// present reports whether all rules of a chain are there, in their order.
func (d *direction) present(rules []*nftables.Rule) bool {
	n, all := 0, len(d.icmp6)+2
	for _, r := range rules {
		if n < all && bytes.Equal(r.UserData, d.mark(n)) {
			n++
		}
	}
	return n == all
}

func sameElements(a, b []nftables.SetElement) bool {
	byKey := func(x, y nftables.SetElement) int { return cmp.Compare(string(x.Key), string(y.Key)) }
	slices.SortFunc(a, byKey)
	slices.SortFunc(b, byKey)
	return slices.EqualFunc(a, b, func(x, y nftables.SetElement) bool { return bytes.Equal(x.Key, y.Key) })
}
