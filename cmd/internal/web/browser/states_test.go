package browser

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

// began is when the directors of the tests were started.
var began = time.Now().Add(-50 * time.Hour)

func ago(d time.Duration) time.Time { return time.Now().Add(-d) }

func emptyStatus() *status.Status {
	return &status.Status{
		Director: "lvs1", Software: "1.2.3", PID: 812, Started: began, Now: time.Now(), Realtime: true,
		Config: status.Config{Path: "/etc/holdfast/holdfast.toml", LoadedAt: began},
	}
}

// busy is a director that is well and has traffic; n grows with time.
func busyStatus(n uint64) *status.Status {
	s := emptyStatus()
	s.Now = time.Now()
	s.VRRP = []status.Instance{
		router("outside", "director", "eth0", 51, event.Master, "10.0.0.100/24", "10.0.0.101/24"),
		router("inside", "director", "eth1", 52, event.Master, "192.168.0.254/24"),
		router("dns", "", "eth0", 60, event.Backup, "10.0.0.53/24"),
		router("v6", "", "eth0", 61, event.Backup, "2001:db8::53/64"),
	}
	s.VRRP[2].Master = &status.Peer{Address: "10.0.0.3", Priority: 150}
	s.VRRP[3].Master, s.VRRP[3].Family = &status.Peer{Address: "fe80::3", Priority: 150}, "ipv6"
	s.Groups = []status.Group{{Name: "director", State: event.Master, Members: []string{"outside", "inside"}, Since: ago(42 * time.Minute)}}
	s.LVS = &status.LVS{Sync: &status.Sync{Interface: "eth1", ID: 1, Roles: []string{"master"}}}
	for i, name := range []string{"web", "tls", "mail"} {
		s.LVS.Services = append(s.LVS.Services, service(name, fmt.Sprintf("10.0.0.100:%d", []int{80, 443, 25}[i]), 4, n+uint64(i)*7))
	}
	db := service("database", "192.168.0.30:5432", 2, n)
	db.Active, db.Scheduler, db.Wanted, db.Present, db.Counters = "never", "", false, false, lvs.Counters{}
	for i := range db.Servers {
		db.Servers[i].Present, db.Servers[i].Forward = false, ""
	}
	s.LVS.Services = append(s.LVS.Services, db)
	s.Checks = checksOf(s.LVS.Services)
	s.Resources = []status.Resource{{Name: "haproxy", Group: "director", Type: "systemd", State: "started", Since: ago(42 * time.Minute)}}
	s.Trackers = []status.Tracker{{Name: "uplink", Type: "ping", State: "up", Since: ago(40 * time.Hour)}}
	return s
}

// failing is a director on which about everything is wrong.
func failingStatus(n uint64) *status.Status {
	s := busyStatus(n)
	s.Realtime, s.RealtimeNote = false, "operation not permitted"
	s.Config.LastReload = &status.Reload{At: ago(time.Minute), Error: "holdfast.toml:3: vrrp.vrid: must be 1 to 255"}
	s.VRRP[1].State, s.VRRP[1].Since, s.VRRP[1].Why = event.Fault, ago(3*time.Minute), "eth1 has no carrier"
	s.VRRP[1].Reasons = []status.Reason{{Key: "link", Text: "eth1 has no carrier", Since: ago(3 * time.Minute)}}
	s.VRRP[0].Rival = &status.Peer{Address: "10.0.0.9", MAC: "02:00:00:00:00:09", Priority: 200, LastHeard: ago(0)}
	s.VRRP[2].State, s.VRRP[2].EffectivePriority, s.VRRP[2].Waits = event.Init, 90, []status.Wait{{Key: "start_delay", Until: time.Now().Add(time.Minute)}}
	s.Groups[0].State = event.Fault
	s.Problems = []status.Problem{{Kind: "conflict-address", Name: "10.0.0.100", VRRP: "outside", Text: "02:00:00:00:00:09 answers ARP for 10.0.0.100 on eth0", Since: ago(time.Minute)}}
	web := &s.LVS.Services[0]
	for i := range web.Servers {
		web.Servers[i].Health, web.Servers[i].Present, web.Servers[i].Weight = "down", false, 0
	}
	web.Servers = append(web.Servers, lvs.ServerStatus{Name: "sorry", Address: "192.168.0.1:8080", Forward: "nat", Health: "up", Fallback: true, Present: true, Weight: 1, Configured: 1})
	web.Health, web.ServersUp, web.WeightUp, web.OnFallback, web.Quorum = "down", 0, 0, true, 2
	tls := &s.LVS.Services[1]
	tls.Servers[0].Drained, tls.Servers[0].Weight = true, 0
	tls.Servers[0].Override = &lvs.Override{Drained: &lvs.Order{By: "anna"}}
	tls.Servers[1].Health, tls.Servers[1].Present, tls.ServersUp = "down", false, 3
	s.Checks = checksOf(s.LVS.Services)
	s.Resources[0].State, s.Resources[0].Problem, s.Resources[0].Failures = "failed", "start haproxy.service: the unit failed: exit-code", 3
	s.Trackers[0].State, s.Trackers[0].Reason = "down", "no answer from 10.0.0.1 within 1s"
	s.Alerts = []status.Alert{{Rule: "ops", Kind: event.KindService, Subject: "web", Reason: "no server is up", Since: ago(3 * time.Minute), Failures: 1, Sent: 2}}
	return s
}

// big is a director with 1,000 virtual routers and 5,000 servers.
func bigStatus(n uint64) *status.Status {
	s := emptyStatus()
	s.Now = time.Now()
	for i := range 1000 {
		state := event.Master
		if i%2 == 1 {
			state = event.Backup
		}
		s.VRRP = append(s.VRRP, router(fmt.Sprintf("customer-%04d", i), "", fmt.Sprintf("eth0.%d", 100+i%50), 1+i%255, state,
			fmt.Sprintf("10.%d.%d.100/24", i/250, i%250)))
	}
	s.LVS = &status.LVS{}
	for i := range 500 {
		s.LVS.Services = append(s.LVS.Services, service(fmt.Sprintf("customer-%04d-web", i), fmt.Sprintf("10.%d.%d.100:80", i/250, i%250), 10, n+uint64(i)))
	}
	down := &s.LVS.Services[321]
	down.Servers[4].Health, down.Servers[4].Present, down.ServersUp = "down", false, 9
	s.Checks = checksOf(s.LVS.Services)
	for i := range s.Checks {
		s.Checks[i].Counts.Attempts += n
	}
	return s
}

func router(name, group, device string, vrid int, state string, addresses ...string) status.Instance {
	return status.Instance{
		Name: name, Group: group, Interface: device, Device: fmt.Sprintf("vrrp4-%d", vrid), MAC: fmt.Sprintf("00:00:5e:00:01:%02x", vrid),
		Family: "ipv4", VRID: vrid, Protocol: 3, State: state, Since: ago(42 * time.Minute), Why: "no advert heard", Holding: state == event.Master,
		Priority: 150, EffectivePriority: 150, IntervalMS: 100, Preempt: true, Addresses: addresses,
	}
}

func service(name, address string, servers int, n uint64) lvs.ServiceStatus {
	v := lvs.ServiceStatus{
		Name: name, Service: "tcp " + address, Scheduler: "wlc", Active: "always", Wanted: true, Present: true, ServersUp: servers, ServersTotal: servers,
		Health: "up", WeightUp: 5 * servers, Quorum: 1,
	}
	for i := range servers {
		r := lvs.ServerStatus{
			Name: fmt.Sprintf("rs%02d", i+1), Address: fmt.Sprintf("192.168.%d.%d:80", len(name)%200, 11+i), Forward: "nat", Health: "up",
			Configured: 5, Effective: 5, WeightFrom: lvs.FromConfig, Weight: 5, Present: true,
			Active: uint32(120 + wave(n, i)), Inactive: uint32(300 + wave(n/2, i)), Counters: counters(n, i),
		}
		v.Servers = append(v.Servers, r)
		v.Counters.Connections += r.Counters.Connections
	}
	v.Counters.Rates = &lvs.Rates{ConnectionRate: 40 + wave(n, 3), PacketInRate: 900, PacketOutRate: 1100, ByteInRate: 300_000 + 1000*wave(n, 1), ByteOutRate: 4_000_000 + 9000*wave(n, 2)}
	return v
}

// wave is a number from 0 to 60 that goes up and down with n.
func wave(n uint64, i int) uint64 {
	x := (n*uint64(3+i) + uint64(i)*17) % 120
	return min(x, 120-x)
}

func counters(n uint64, i int) lvs.Counters {
	return lvs.Counters{Connections: 1_000_000 + n*10, Rates: &lvs.Rates{ConnectionRate: 10 + wave(n, i), PacketInRate: 200, PacketOutRate: 300, ByteInRate: 80_000, ByteOutRate: 1_000_000}}
}

func checksOf(services []lvs.ServiceStatus) (all []checker.Status) {
	for i := range services {
		for j, r := range services[i].Servers {
			if r.Fallback {
				continue
			}
			c := checker.Status{
				ID: services[i].Name + "/" + r.Name, Server: services[i].Name + "/" + r.Name, Kind: "http", Address: netip.MustParseAddrPort(r.Address),
				State: checker.Up, Up: true, Since: ago(50 * time.Hour), Recent: strings.Repeat("+", 40), Shared: 1,
				Latency: &checker.Latency{P50: 840 * time.Microsecond, P90: 1900 * time.Microsecond, P99: time.Duration(4+j) * time.Millisecond, Of: 40},
				Last:    &checker.Result{At: ago(time.Second), Took: 910 * time.Microsecond, OK: true}, Counts: checker.Counts{Attempts: 90_000, Successes: 89_998, Failures: 2},
				Failures: []checker.Result{{At: ago(30 * time.Hour), Reason: "connect: connection refused"}},
			}
			if r.Health == "down" {
				c.State, c.Up, c.Since, c.Recent = checker.Down, false, ago(3*time.Minute), strings.Repeat("+", 28)+"-+----------"
				c.Failures = append([]checker.Result{{At: ago(time.Second), Reason: "the answer has status 503, want 200"}}, c.Failures...)
			}
			all = append(all, c)
		}
	}
	return all
}

// busyEvents are what happened on the director of busy.
func busyEvents(j *event.Journal) {
	add := func(d time.Duration, kind, subject, from, to, reason string) {
		j.Append(event.Event{At: ago(d), Kind: kind, Subject: subject, From: from, To: to, Reason: reason})
	}
	add(55*time.Minute, event.KindInstance, "outside", event.Master, event.Backup, "10.0.0.3 has a higher priority")
	add(55*time.Minute, event.KindInstance, "inside", event.Master, event.Backup, "outside of its group left MASTER")
	add(55*time.Minute, event.KindGroup, "director", event.Master, event.Backup, "outside is BACKUP")
	add(42*time.Minute, event.KindInstance, "outside", event.Backup, event.Master, "no advert heard for 360ms")
	add(42*time.Minute, event.KindInstance, "inside", event.Backup, event.Master, "outside of its group is MASTER")
	add(42*time.Minute, event.KindGroup, "director", event.Backup, event.Master, "no advert heard for 360ms")
	add(31*time.Minute, event.KindServer, "web/rs02", event.Up, event.Down, "connect: connection refused")
	add(29*time.Minute, event.KindServer, "web/rs02", event.Down, event.Up, "answered 2 times in a row")
	add(20*time.Minute, event.KindInstance, "v6", event.Init, event.Backup, "started")
	add(12*time.Minute, event.KindConfig, "", "", "", "2 changes: change service web; change notify")
}

// failingEvents are what happened on the director of failing.
func failingEvents(j *event.Journal) {
	busyEvents(j)
	add := func(kind, subject, from, to, reason string) {
		j.Append(event.Event{At: ago(3 * time.Minute), Kind: kind, Subject: subject, From: from, To: to, Reason: reason})
	}
	add(event.KindInstance, "inside", event.Master, event.Fault, "eth1 has no carrier")
	add(event.KindGroup, "director", event.Master, event.Fault, "inside is in FAULT")
	add(event.KindServer, "web/rs01", event.Up, event.Down, "the answer has status 503, want 200")
	add(event.KindService, "web", event.Up, event.Down, "no server is up")
}
