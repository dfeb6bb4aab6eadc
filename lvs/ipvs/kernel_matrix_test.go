package ipvs

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/lvs"
)

// available returns the schedulers of this kernel. Linux 4.2 added ovf, 4.18 mh and
// 5.8 twos, and distributions leave some out.
func available(t *testing.T, c *Conn) []string {
	t.Helper()
	var names []string
	for _, name := range lvs.Schedulers() {
		s := tcp("192.0.2.1:1")
		s.Scheduler = name
		err := c.Do(lvs.Op{Verb: lvs.AddService, Service: s})[0]
		if errors.Is(err, lvs.ErrNoScheduler) {
			t.Logf("this kernel has no scheduler %s: %v", name, err)
			continue
		}
		if err != nil {
			t.Fatalf("scheduler %s: %v", name, err)
		}
		names = append(names, name)
		if err := c.Do(lvs.Op{Verb: lvs.DeleteService, Service: s})[0]; err != nil {
			t.Fatal(err)
		}
	}
	if len(names) < 10 {
		t.Fatalf("only %v", names)
	}
	return names
}

// matrix returns services with every combination of protocol and scheduler, and
// servers with every forwarding method, tunnel and pair of families.
func matrix(schedulers []string, change int) []lvs.Wanted {
	var all []lvs.Wanted
	for _, protocol := range []lvs.Protocol{lvs.TCP, lvs.UDP, lvs.SCTP, lvs.ProtocolNone} {
		for i := range schedulers {
			for _, vip := range []string{"10.0.0.1", "2001:db8::1"} {
				addr := netip.MustParseAddr(vip)
				key := lvs.Key{Protocol: protocol, Address: netip.AddrPortFrom(addr, uint16(1000+i))}
				if protocol == lvs.ProtocolNone {
					key = lvs.Key{Mark: uint32(1 + i), IPv6: addr.Is6()}
				}
				scheduler := schedulers[(i+change)%len(schedulers)]
				all = append(all, lvs.Wanted{
					Service: options(lvs.Service{Key: key, Scheduler: scheduler}, i+change).Canonical(),
					Servers: servers(addr.Is6(), change),
				})
			}
		}
	}
	return all
}

// options gives a service the i-th combination of its options.
func options(s lvs.Service, i int) lvs.Service {
	if i%3 == 1 {
		s.Persistence = time.Duration(60+i) * time.Second
	}
	if i%6 == 1 {
		s.PersistPrefix = 24
	}
	if s.Persistence > 0 && s.Key.Protocol == lvs.UDP {
		s.PersistEngine = "sip"
	}
	if i%4 == 2 && s.Key.Protocol == lvs.UDP {
		s.Flags |= lvs.FlagOnePacket
	}
	s.Flags |= lvs.Flags(i%8) << 3 // scheduler flags
	return s
}

// servers returns a server for every forwarding method, tunnel and family. Another
// change gives each the method of another server and other numbers.
func servers(v6 bool, change int) []lvs.Server {
	kinds := []lvs.Server{
		{Forward: lvs.NAT}, {Forward: lvs.DR}, {Forward: lvs.TUN},
		{Forward: lvs.TUN, Tunnel: lvs.Tunnel{Type: lvs.GUE, Port: 6080}},
		{Forward: lvs.TUN, Tunnel: lvs.Tunnel{Type: lvs.GUE, Port: 6081, Checksum: true}},
		{Forward: lvs.TUN, Tunnel: lvs.Tunnel{Type: lvs.GUE, Port: 6082, RemoteChecksum: true}},
		{Forward: lvs.TUN, Tunnel: lvs.Tunnel{Type: lvs.GRE}},
		{Forward: lvs.TUN, Tunnel: lvs.Tunnel{Type: lvs.GRE, Checksum: true}},
	}
	var all []lvs.Server
	add := func(v6 bool, i int, s lvs.Server) {
		a := netip.AddrFrom4([4]byte{192, 168, 0, byte(11 + i)})
		if v6 {
			a = netip.MustParseAddr(fmt.Sprintf("fd00::%d", 11+i))
		}
		s.Address = netip.AddrPortFrom(a, 80)
		s.Weight = []int{1, 0, lvs.MaxWeight, 70000}[(i+change)%4]
		if i%2 == change%2 {
			s.Upper, s.Lower = 1<<31+uint32(i), uint32(i)
		}
		all = append(all, s)
	}
	for i := range kinds {
		add(v6, i, kinds[(i+change)%len(kinds)])
		if kinds[i].Forward == lvs.TUN {
			add(!v6, i, kinds[i])
		}
	}
	return all
}

func TestReadBack(t *testing.T) {
	c := kernel(t)
	schedulers := available(t, c)
	for change := range 2 {
		want := matrix(schedulers, change)
		start := time.Now()
		ops := reach(t, c, want...)
		t.Logf("round %d: %d services, %d changes in %v", change, len(want), len(ops), time.Since(start).Round(time.Millisecond))
		for _, op := range ops {
			if change > 0 && op.Verb != lvs.EditService && op.Verb != lvs.EditServer {
				t.Fatalf("not edited in place: %v", op)
			}
		}
		compare(t, c, want)
	}
	listing := ipvsadm(t, "-Ln")
	t.Logf("ipvsadm -Ln has %d lines, the first of them:\n%s", strings.Count(listing, "\n"), strings.Join(strings.SplitAfterN(listing, "\n", 20)[:19], ""))
	reach(t, c)
	if got, _ := c.Dump(); len(got) == 0 {
		t.Error("an applier that owns no service has deleted all")
	}
	last := lvs.NewApplier(c, keysOf(matrix(schedulers, 0)), nil)
	if report, err := last.Apply(nil, nil); err != nil || report.Err() != nil {
		t.Fatal(err, report.Err())
	}
	compare(t, c, nil)
}
