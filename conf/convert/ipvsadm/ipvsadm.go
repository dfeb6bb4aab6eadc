// Package ipvsadm converts the output of `ipvsadm -Sn`, or a script of ipvsadm
// commands, to a configuration of holdfast.
package ipvsadm

import (
	"fmt"
	"strings"

	"holdfast/conf/convert"
	"holdfast/lvs"
)

// Convert converts the files together, in order, as if one ipvsadm ran them. It
// returns nil if they leave nothing to configure.
func Convert(in convert.Input, report *convert.Report) *convert.Result {
	var all []directive
	for _, f := range in.Files {
		all = append(all, parse(f.Name, f.Text, report)...)
	}
	t := apply(all, report)
	var d convert.Draft
	t.draftGlobals(&d, report)
	for _, s := range t.services {
		if len(s.servers) == 0 {
			report.Person(s.at, "the service %v has no servers: holdfast needs a server or a fallback", s.service.Key)
			continue
		}
		d.Add(s.at, s.toml())
	}
	result := d.Finish(report)
	if result != nil && len(result.Config.Services) > 0 {
		t.remarks(report)
	}
	return result
}

// draftGlobals adds the timeouts and the sync daemon.
func (t *table) draftGlobals(d *convert.Draft, report *convert.Report) {
	if x := t.timeouts; x != nil {
		d.Add(x.at, fmt.Sprintf("[lvs.timeouts]\ntcp = \"%ds\"\ntcpfin = \"%ds\"\nudp = \"%ds\"", x.values[0], x.values[1], x.values[2]))
	}
	if len(t.daemons) == 0 {
		return
	}
	first := t.daemons[0]
	for _, x := range t.daemons[1:] {
		if strings.Join(x.lines, "\n") != strings.Join(first.lines, "\n") {
			report.Person(x.at, "the %s daemon has other options than the %s daemon, at %v: holdfast has one [lvs.sync] for both", x.role, first.role, first.at)
		}
	}
	d.Add(first.at, "[lvs.sync]\n"+strings.Join(first.lines, "\n"))
	if len(t.daemons) == 1 {
		report.Note(first.at, "holdfast runs both sync daemons, sender and receiver; with [[vrrp]] it sends only while MASTER")
	}
}

// remarks notes what every conversion from ipvsadm lacks.
func (t *table) remarks(report *convert.Report) {
	at := t.services[0].at
	report.Note(at, "ipvsadm checks no servers, so every service has check = { type = \"none\" }: give each one a check")
	report.Note(at, "ipvsadm does not hold the addresses of the services: add [[vrrp]] with these addresses")
	report.Note(at, "ipvsadm leaves its table in the kernel; holdfast removes its services at a stop, unless [lvs] has on_stop = \"keep\"")
	thresholds := false
	for _, s := range t.services {
		for _, r := range s.servers {
			thresholds = thresholds || r.Upper > 0 || r.Lower > 0
		}
	}
	if !thresholds {
		report.Note(at, "ipvsadm -S does not print the thresholds of servers (-x, -y): if `ipvsadm -Ln --thresholds` shows some, add upper_threshold and lower_threshold")
	}
}

// name returns a name for the service.
func (s *service) name() string {
	return strings.ReplaceAll(s.service.Key.String(), " ", "-")
}

// toml returns the service as a [[service]] with every key that matters.
func (s *service) toml() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	v := s.service
	line("[[service]]\nname = %s", quote(s.name()))
	if v.Key.Mark != 0 {
		line("mark = %d", v.Key.Mark)
		if v.Key.IPv6 {
			line(`family = "ipv6"`)
		}
	} else {
		line("address = %s\nprotocol = %s", quote(v.Key.Address.String()), quote(v.Key.Protocol.String()))
	}
	line("scheduler = %s", quote(v.Scheduler))
	if flags := flagNames(v.Flags); len(flags) > 0 {
		line("scheduler_flags = [%s]", strings.Join(flags, ", "))
	}
	if v.Flags&lvs.FlagOnePacket != 0 {
		line("one_packet = true")
	}
	if v.Persistence > 0 {
		line("persistence = \"%ds\"\npersistence_prefix = %d", int(v.Persistence.Seconds()), v.PersistPrefix)
	}
	if v.PersistEngine != "" {
		line("persistence_engine = %s", quote(v.PersistEngine))
	}
	line(`check = { type = "none" }`)
	for _, r := range s.servers {
		b.WriteString(serverTOML(r))
	}
	return b.String()
}

func flagNames(flags lvs.Flags) []string {
	var names []string
	for i, f := range []lvs.Flags{lvs.FlagSched1, lvs.FlagSched2, lvs.FlagSched3} {
		if flags&f != 0 {
			names = append(names, fmt.Sprintf("%q", fmt.Sprintf("flag-%d", i+1)))
		}
	}
	return names
}

func serverTOML(r lvs.Server) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[service.server]]\naddress = %s\nforward = %s\nweight = %d\n", quote(r.Address.String()), quote(r.Forward.String()), r.Weight)
	if r.Upper > 0 {
		fmt.Fprintf(&b, "upper_threshold = %d\n", r.Upper)
	}
	if r.Lower > 0 {
		fmt.Fprintf(&b, "lower_threshold = %d\n", r.Lower)
	}
	if r.Forward != lvs.TUN {
		return b.String()
	}
	fmt.Fprintf(&b, "tunnel = %s\n", quote(r.Tunnel.Type.String()))
	if r.Tunnel.Port != 0 {
		fmt.Fprintf(&b, "tunnel_port = %d\n", r.Tunnel.Port)
	}
	switch {
	case r.Tunnel.Checksum:
		b.WriteString("tunnel_checksum = \"outer\"\n")
	case r.Tunnel.RemoteChecksum:
		b.WriteString("tunnel_checksum = \"remote\"\n")
	}
	return b.String()
}
