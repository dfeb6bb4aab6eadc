package netdev

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"holdfast/netdev/frame"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// FirewallConflicts returns the rules of nftables that drop all VRRP packets on one
// of some interfaces, as [ConflictFirewall] without a Device. It sees rules in base
// chains that name the protocol, and nothing but the protocol and an interface. It
// does not see sets, jumps, policies of chains, and the legacy iptables.
func FirewallConflicts(interfaces []string) ([]Conflict, error) {
	c, err := dialFirewall()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	chains, err := c.ListChains()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil // the kernel has no nftables
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	var all []Conflict
	var errs []error
	for _, chain := range chains {
		if chain.Hooknum == nil || chain.Table.Flags != 0 {
			continue // only jumps lead there, or the table is dormant
		}
		rules, err := c.GetRules(chain.Table, chain)
		if err != nil {
			errs = append(errs, fmt.Errorf("list the rules of nftables chain %s %s: %w", chain.Table.Name, chain.Name, err))
			continue
		}
		for _, on := range droppedOn(rules, interfaces) {
			all = append(all, Conflict{Kind: ConflictFirewall, Interface: on, Text: fmt.Sprintf(
				"nftables drops VRRP packets on %s: table %s, chain %s", on, chain.Table.Name, chain.Name)})
		}
	}
	return all, errors.Join(errs...)
}

// droppedOn returns the interfaces on which the rules of a chain drop VRRP before
// another rule accepts it.
func droppedOn(rules []*nftables.Rule, interfaces []string) []string {
	var dropped []string
	for _, on := range interfaces {
		for _, r := range rules {
			verdict, fits := verdictOn(r.Exprs, on)
			if fits {
				if verdict != expr.VerdictAccept {
					dropped = append(dropped, on)
				}
				break
			}
		}
	}
	return dropped
}

// verdictOn returns the verdict of a rule for VRRP packets on an interface. It
// reports false if the rule does not fit them all, has no verdict for them, or has
// a condition that is not understood here.
func verdictOn(exprs []expr.Any, on string) (verdict expr.VerdictKind, fits bool) {
	var loaded expr.Any // what the next comparison is about
	protocol := false
	for _, e := range exprs {
		switch e := e.(type) {
		case *expr.Counter, *expr.Log:
		case *expr.Meta, *expr.Payload:
			loaded = e
		case *expr.Cmp:
			known, isProtocol := compares(loaded, e, on)
			if !known {
				return 0, false
			}
			protocol = protocol || isProtocol
		case *expr.Reject:
			return expr.VerdictDrop, protocol
		case *expr.Verdict:
			return e.Kind, protocol && (e.Kind == expr.VerdictDrop || e.Kind == expr.VerdictAccept)
		default:
			return 0, false
		}
	}
	return 0, false
}

// compares reports whether a comparison holds for VRRP packets on an interface, and
// whether it is about the protocol.
func compares(loaded expr.Any, c *expr.Cmp, on string) (holds, protocol bool) {
	if c.Op != expr.CmpOpEq {
		return false, false
	}
	vrrp := bytes.Equal(c.Data, []byte{frame.ProtocolVRRP})
	switch l := loaded.(type) {
	case *expr.Meta:
		switch l.Key {
		case expr.MetaKeyNFPROTO, expr.MetaKeyPROTOCOL:
			return true, false
		case expr.MetaKeyL4PROTO:
			return vrrp, true
		case expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME:
			return string(bytes.TrimRight(c.Data, "\x00")) == on, false
		}
	case *expr.Payload:
		// The protocol of IPv4, and the next header of IPv6.
		if l.Base == expr.PayloadBaseNetworkHeader && l.Len == 1 && slices.Contains([]uint32{9, 6}, l.Offset) {
			return vrrp, true
		}
	}
	return false, false
}
