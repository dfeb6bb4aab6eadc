package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/netdev/frame"
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
)

func lookAtFirewall(ctx context.Context, _ *Patient) (*firewallFacts, error) {
	nft, err := nftChains()
	legacy, legacyErr := legacyChains(ctx)
	return &firewallFacts{append(nft, legacy...)}, errors.Join(err, legacyErr)
}

// mustPass returns the packets that a firewall must let pass.
func mustPass(c *conf.Config) (all []probePacket) {
	for i := range c.VRRP {
		all = append(all, adverts(&c.VRRP[i]))
	}
	if s := c.LVS.Sync; s.Interface != "" {
		p := probePacket{Device: s.Interface, Protocol: 17, Dst: s.Group, Port: s.Port, What: "connections for the sync daemon on " + s.Interface}
		if !p.Dst.IsValid() {
			p.Dst = lvs.DefaultSyncGroup
		}
		if p.Port == 0 {
			p.Port = lvs.DefaultSyncPort
		}
		p.IPv6 = p.Dst.Is6()
		sent := p
		sent.Out, sent.What = true, "connections of the sync daemon on "+s.Interface
		all = append(all, p, sent)
	}
	for i := range c.Services {
		all = append(all, checksOf(&c.Services[i])...)
	}
	var once []probePacket
	for _, p := range all {
		if !slices.Contains(once, p) {
			once = append(once, p)
		}
	}
	return once
}

// adverts returns the packets that a virtual router must receive. What it sends itself
// passes no rules: it is handed to the interface as a whole frame.
func adverts(in *conf.Instance) probePacket {
	p := probePacket{Device: in.Interface, Protocol: frame.ProtocolVRRP, IPv6: in.Family == vrrp.IPv6, What: "VRRP adverts (protocol 112) on " + in.Interface}
	if in.Auth.Kind == auth.Header {
		p.Protocol, p.What = frame.ProtocolAH, "VRRP adverts with authentication header (protocol 51) on "+in.Interface
	}
	if !in.Unicast {
		p.Dst = netip.MustParseAddr("224.0.0.18")
		if p.IPv6 {
			p.Dst = netip.MustParseAddr("ff02::12")
		}
		if in.Multicast.IsValid() {
			p.Dst = in.Multicast
		}
	}
	return p
}

// checksOf returns the first packets of the checks of a service.
func checksOf(s *conf.Service) (all []probePacket) {
	for i, h := range s.Health {
		for _, c := range h.Checks {
			to := s.Servers[i].Server.Address
			port := to.Port()
			if port == 0 {
				port = s.Service.Key.Address.Port()
			}
			if c.Port != 0 {
				port = c.Port
			}
			protocol := protocolOf(c.Probe.Kind())
			if protocol == 0 || c.Address.IsValid() || !to.IsValid() || port == 0 || c.Via != conf.ViaServer {
				continue
			}
			address := to.Addr().Unmap()
			all = append(all, probePacket{Out: true, Protocol: protocol, IPv6: address.Is6(), Dst: address, Port: port,
				What: fmt.Sprintf("checks of %v port %d", address, port)})
		}
	}
	return all
}

// protocolOf returns the transport protocol of the checks of a type; 0 if it is not
// certain.
func protocolOf(kind string) byte {
	switch kind {
	case "tcp", "http", "https", "tls", "smtp", "imap", "pop", "ftp", "ssh", "mysql", "pgsql", "redis", "ldap":
		return 6
	}
	return 0
}

func judgeFirewall(p *Patient, f *firewallFacts) (found []Finding) {
	if f == nil {
		return nil
	}
	for _, packet := range mustPass(p.Config) {
		c, rule := f.dropper(&packet)
		if c == nil {
			continue
		}
		found = append(found, Finding{
			Severity: Error, What: fmt.Sprintf("%s drops %s: table %s, chain %s, %s", c.Kind, packet.What, c.Table, c.Name, rule),
			Why: consequence(&packet), Cure: allow(c, &packet),
		})
	}
	return found
}

func consequence(p *probePacket) string {
	switch {
	case p.Protocol == frame.ProtocolVRRP, p.Protocol == frame.ProtocolAH:
		return "This director does not hear the MASTER, and becomes MASTER beside it."
	case p.Port == lvs.DefaultSyncPort || p.Dst.IsMulticast():
		return "After a failover the new MASTER does not know the connections, and they break."
	}
	return "The server counts as down although it may be well."
}

// allow returns the command that lets a packet pass.
func allow(c *fwChain, p *probePacket) string {
	switch {
	case c.Kind == kindLegacy:
		return allowIptables("-legacy", c, p)
	case legacyHooks[c.Name] != "" && (strings.HasPrefix(c.Table, "ip ") || strings.HasPrefix(c.Table, "ip6 ")):
		return allowIptables("", c, p) // the names of iptables-nft, which keeps its tables to itself
	}
	side, what := "iifname", fmt.Sprintf("meta l4proto %d", p.Protocol)
	if p.Out {
		side = "oifname"
	}
	if p.Protocol == 17 || p.Protocol == 6 {
		what = fmt.Sprintf("%s dport %d", map[byte]string{6: "tcp", 17: "udp"}[p.Protocol], p.Port)
	}
	device := ""
	if p.Device != "" {
		device = fmt.Sprintf("%s %s ", side, p.Device)
	}
	return fmt.Sprintf("nft insert rule %s %s %s%s accept; to make it last: the same line in the file of your firewall", c.Table, c.Name, device, what)
}

// allowIptables returns the command of iptables, or of ip6tables, with a suffix.
func allowIptables(suffix string, c *fwChain, p *probePacket) string {
	program, side, what := "iptables", "-i", fmt.Sprintf("-p %d", p.Protocol)
	if p.IPv6 {
		program = "ip6tables"
	}
	if p.Out {
		side = "-o"
	}
	if p.Protocol == 17 || p.Protocol == 6 {
		what += fmt.Sprintf(" --dport %d", p.Port)
	}
	device := ""
	if p.Device != "" {
		device = side + " " + p.Device + " "
	}
	return fmt.Sprintf("%s -t %s -I %s %s%s -j ACCEPT; to make it last: the same rule in the file of your firewall", program+suffix, tableOf(c), c.Name, device, what)
}
