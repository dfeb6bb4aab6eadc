package doctor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const kindNft = "nftables"

// nftChains returns the chains of nftables, among them those of iptables-nft.
func nftChains() ([]*fwChain, error) {
	c, err := nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return c.SetDeadline(time.Now().Add(10 * time.Second))
	}))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	listed, err := c.ListChains()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil // the kernel has no nftables
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	var chains []*fwChain
	var errs []error
	for _, l := range listed {
		if l.Table.Flags&unix.NFT_TABLE_F_DORMANT != 0 {
			continue
		}
		chain, err := nftChain(c, l)
		errs = append(errs, err)
		chains = append(chains, chain)
	}
	return chains, errors.Join(errs...)
}

func nftChain(c *nftables.Conn, l *nftables.Chain) (*fwChain, error) {
	chain := &fwChain{Kind: kindNft, Table: nftFamilies[l.Table.Family] + " " + l.Table.Name, Name: l.Name}
	chain.Hook, chain.fits = nftHook(l)
	chain.Drop = l.Policy != nil && *l.Policy == nftables.ChainPolicyDrop
	rules, err := c.GetRules(l.Table, l)
	if err != nil {
		// A chain whose rules are not known may accept anything.
		chain.Rules = []fwRule{{"", func(*probePacket) (answer, outcome, string) { return maybe, accepts, "" }}}
		return chain, fmt.Errorf("list the rules of nftables chain %s %s: %w", l.Table.Name, l.Name, err)
	}
	for i, r := range rules {
		chain.Rules = append(chain.Rules, fwRule{fmt.Sprintf("rule %d (handle %d)", i+1, r.Handle), nftJudge(r.Exprs, nftSets(c, l.Table, r.Exprs))})
	}
	return chain, nil
}

var nftFamilies = map[nftables.TableFamily]string{
	nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6", nftables.TableFamilyINet: "inet",
	nftables.TableFamilyNetdev: "netdev", nftables.TableFamilyBridge: "bridge", nftables.TableFamilyARP: "arp",
}

// nftHook says where a chain is asked, and for which packets.
func nftHook(l *nftables.Chain) (fwHook, func(*probePacket) bool) {
	if l.Hooknum == nil {
		return "", nil
	}
	hooks := map[nftables.ChainHook]fwHook{unix.NF_INET_PRE_ROUTING: incoming, unix.NF_INET_LOCAL_IN: incoming,
		unix.NF_INET_LOCAL_OUT: outgoing, unix.NF_INET_POST_ROUTING: outgoing}
	switch l.Table.Family {
	case nftables.TableFamilyINet:
		return hooks[*l.Hooknum], func(*probePacket) bool { return true }
	case nftables.TableFamilyIPv4, nftables.TableFamilyIPv6:
		return hooks[*l.Hooknum], func(p *probePacket) bool { return p.IPv6 == (l.Table.Family == nftables.TableFamilyIPv6) }
	case nftables.TableFamilyNetdev:
		if *l.Hooknum == unix.NF_NETDEV_INGRESS {
			return incoming, func(p *probePacket) bool { return l.Device == p.Device }
		}
	}
	return "", nil
}

// nftSets reads the sets that a rule looks into. A set that cannot be read is left out.
func nftSets(c *nftables.Conn, t *nftables.Table, exprs []expr.Any) map[string]*nftSet {
	sets := map[string]*nftSet{}
	for _, e := range exprs {
		l, ok := e.(*expr.Lookup)
		if !ok {
			continue
		}
		set, err := c.GetSetByName(t, l.SetName)
		if err != nil || set == nil || set.Concatenation {
			continue
		}
		elements, err := c.GetSetElements(set)
		if err == nil {
			sets[l.SetName] = &nftSet{set.Interval, elements}
		}
	}
	return sets
}

type nftSet struct {
	interval bool
	elements []nftables.SetElement
}

// find returns the element that has a key.
func (s *nftSet) find(key []byte) (*nftables.SetElement, bool) {
	var at *nftables.SetElement
	for i := range s.elements {
		e := &s.elements[i]
		switch {
		case !s.interval && bytes.Equal(e.Key, key):
			return e, true
		case s.interval && len(e.Key) == len(key) && bytes.Compare(e.Key, key) <= 0 && (at == nil || bytes.Compare(e.Key, at.Key) >= 0):
			if at != nil && bytes.Equal(at.Key, e.Key) && e.IntervalEnd {
				continue // one interval begins where another ends
			}
			at = e // the last bound at or below the key
		}
	}
	return at, at != nil && !at.IntervalEnd
}

// nftJudge returns the function that says what a rule does with a packet. It follows the
// kernel's register machine; a register whose value is not known may have any.
func nftJudge(exprs []expr.Any, sets map[string]*nftSet) func(*probePacket) (answer, outcome, string) {
	return func(p *probePacket) (answer, outcome, string) {
		m := nftMachine{packet: p, registers: map[uint32][]byte{}, sets: sets, fit: yes}
		for _, e := range exprs {
			if does, target, done := m.step(e); done {
				return m.fit, does, target
			}
			if m.fit == no {
				break
			}
		}
		return m.fit, onward, ""
	}
}

type nftMachine struct {
	packet    *probePacket
	registers map[uint32][]byte // nil: not known
	sets      map[string]*nftSet
	fit       answer
}

// step does what one expression says. It reports true at a verdict.
func (m *nftMachine) step(e expr.Any) (does outcome, target string, done bool) {
	switch e := e.(type) {
	case *expr.Counter, *expr.Log, *expr.Notrack, *expr.Objref:
	case *expr.Meta:
		if e.SourceRegister {
			break // sets a mark
		}
		m.load(e.Register, m.meta(e.Key))
	case *expr.Payload:
		m.load(e.DestRegister, m.payload(e))
	case *expr.Ct:
		var state []byte
		if e.Key == expr.CtKeySTATE {
			state = binary.NativeEndian.AppendUint32(nil, expr.CtStateBitNEW)
		}
		m.load(e.Register, state)
	case *expr.Bitwise:
		m.load(e.DestRegister, masked(m.registers[e.SourceRegister], e))
	case *expr.Cmp:
		m.fit = m.fit.and(compared(m.registers[e.Register], e.Op, e.Data))
	case *expr.Range:
		in := compared(m.registers[e.Register], expr.CmpOpGte, e.FromData).and(compared(m.registers[e.Register], expr.CmpOpLte, e.ToData))
		if e.Op == expr.CmpOpNeq {
			in = in.not()
		}
		m.fit = m.fit.and(in)
	case *expr.Lookup:
		return m.lookup(e)
	case *expr.Reject:
		return drops, "", true
	case *expr.Verdict:
		does, target = verdictOf(e)
		return does, target, true
	case *expr.Match:
		m.fit = m.fit.and(extension(e))
	case *expr.Target:
		if e.Name == "REJECT" {
			return drops, "", true
		}
	default:
		m.fit = m.fit.and(maybe)
	}
	return 0, "", false
}

func (m *nftMachine) load(register uint32, value []byte) { m.registers[register] = value }

func (m *nftMachine) lookup(e *expr.Lookup) (outcome, string, bool) {
	value, set := m.registers[e.SourceRegister], m.sets[e.SetName]
	if value == nil || set == nil {
		m.fit = m.fit.and(maybe)
		return obscure, "", e.IsDestRegSet
	}
	element, found := set.find(value)
	if e.IsDestRegSet && found && element.VerdictData != nil {
		does, target := verdictOf(element.VerdictData)
		return does, target, true
	}
	m.fit = m.fit.and(answerOf(found != e.Invert))
	return 0, "", false
}

func verdictOf(v *expr.Verdict) (outcome, string) {
	switch v.Kind {
	case expr.VerdictAccept:
		return accepts, ""
	case expr.VerdictDrop:
		return drops, ""
	case expr.VerdictReturn:
		return returns, ""
	case expr.VerdictJump:
		return jumps, v.Chain
	case expr.VerdictGoto:
		return goes, v.Chain
	case expr.VerdictContinue:
		return onward, ""
	}
	return obscure, ""
}

// meta returns what is known of a packet beside its bytes.
func (m *nftMachine) meta(key expr.MetaKey) []byte {
	p := m.packet
	switch key {
	case expr.MetaKeyNFPROTO:
		if p.IPv6 {
			return []byte{unix.NFPROTO_IPV6}
		}
		return []byte{unix.NFPROTO_IPV4}
	case expr.MetaKeyPROTOCOL:
		if p.IPv6 {
			return []byte{0x86, 0xdd}
		}
		return []byte{8, 0}
	case expr.MetaKeyL4PROTO:
		return []byte{p.Protocol}
	case expr.MetaKeyIIFNAME, expr.MetaKeyIIF:
		if p.Out {
			m.fit = no // the kernel ends the rule
			return nil
		}
		return deviceBytes(p.Device, key == expr.MetaKeyIIFNAME)
	case expr.MetaKeyOIFNAME, expr.MetaKeyOIF:
		if !p.Out {
			m.fit = no
			return nil
		}
		return deviceBytes(p.Device, key == expr.MetaKeyOIFNAME)
	}
	return nil
}

func deviceBytes(name string, asName bool) []byte {
	if name == "" {
		return nil
	}
	if asName {
		return append([]byte(name), make([]byte, max(unix.IFNAMSIZ-len(name), 0))...)
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil
	}
	return binary.NativeEndian.AppendUint32(nil, uint32(i.Index))
}

// payload returns bytes of the headers of a packet.
func (m *nftMachine) payload(e *expr.Payload) []byte {
	p := m.packet
	type place struct {
		base        expr.PayloadBase
		ipv6        bool
		offset, len uint32
	}
	address := func(is bool, b []byte) []byte {
		if !is {
			return nil
		}
		return b
	}
	switch (place{e.Base, p.IPv6, e.Offset, e.Len}) {
	case place{expr.PayloadBaseNetworkHeader, false, 9, 1}, place{expr.PayloadBaseNetworkHeader, true, 6, 1}:
		return []byte{p.Protocol}
	case place{expr.PayloadBaseNetworkHeader, false, 12, 4}, place{expr.PayloadBaseNetworkHeader, true, 8, 16}:
		return address(p.Src.IsValid(), p.Src.AsSlice())
	case place{expr.PayloadBaseNetworkHeader, false, 16, 4}, place{expr.PayloadBaseNetworkHeader, true, 24, 16}:
		return address(p.Dst.IsValid(), p.Dst.AsSlice())
	case place{expr.PayloadBaseTransportHeader, p.IPv6, 2, 2}:
		if p.Port != 0 {
			return binary.BigEndian.AppendUint16(nil, p.Port)
		}
	}
	return nil
}

func masked(value []byte, e *expr.Bitwise) []byte {
	if len(value) != len(e.Mask) || len(e.Xor) != len(e.Mask) {
		return nil
	}
	out := slices.Clone(value)
	for i := range out {
		out[i] = out[i]&e.Mask[i] ^ e.Xor[i]
	}
	return out
}

// compared compares a value, which may be longer: "eth*" is a comparison of three bytes.
func compared(value []byte, op expr.CmpOp, with []byte) answer {
	if value == nil || len(value) < len(with) {
		return maybe
	}
	order := bytes.Compare(value[:len(with)], with)
	switch op {
	case expr.CmpOpEq:
		return answerOf(order == 0)
	case expr.CmpOpNeq:
		return answerOf(order != 0)
	case expr.CmpOpLt:
		return answerOf(order < 0)
	case expr.CmpOpLte:
		return answerOf(order <= 0)
	case expr.CmpOpGt:
		return answerOf(order > 0)
	case expr.CmpOpGte:
		return answerOf(order >= 0)
	}
	return maybe
}

// Flags of xt_conntrack (include/uapi/linux/netfilter/xt_conntrack.h).
const (
	ctMatchState = 1 << 0
	ctMatchAlias = 1 << 13 // it was written as "-m state"
	ctStateNew   = 1 << 3
)

// extension judges a match of iptables-nft that has no form of its own in nftables.
func extension(e *expr.Match) answer {
	var state uint16
	var base xt.ConntrackMtinfoBase
	switch i := e.Info.(type) {
	case *xt.Comment:
		return yes
	case *xt.ConntrackMtinfo1:
		state, base = uint16(i.StateMask), i.ConntrackMtinfoBase
	case *xt.ConntrackMtinfo2:
		state, base = i.StateMask, i.ConntrackMtinfoBase
	case *xt.ConntrackMtinfo3:
		state, base = i.StateMask, i.ConntrackMtinfoBase
	default:
		return maybe
	}
	if base.MatchFlags&^ctMatchAlias != ctMatchState {
		return maybe // about more than the state
	}
	return answerOf((state&ctStateNew != 0) != (base.InvertFlags&ctMatchState != 0))
}
