package status

import (
	"net/netip"
	"time"

	"holdfast/checker"
	"holdfast/lvs"
	"holdfast/vrrp/histogram"
)

// spent returns what a histogram has counted after so many durations, which it takes
// in turn.
func spent(count int, durations ...time.Duration) *histogram.Snapshot {
	var h histogram.Histogram
	for i := range count {
		h.Observe(durations[i%len(durations)])
	}
	return h.Snapshot()
}

// canned returns the status of a director that has an example of everything.
func canned() *Status {
	now := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	return &Status{
		Version: Version, Director: "lvs1", Software: "1.2.3", PID: 812, Started: ago(77*time.Hour + 5*time.Minute), Now: now,
		Config: Config{
			Path: "/etc/holdfast/holdfast.toml", LoadedAt: ago(3*time.Hour + 12*time.Minute), Reloads: 4, ReloadsRefused: 1,
			LastReload: &Reload{At: ago(30 * time.Second), Error: "holdfast.toml:3: vrrp.vrid: must be 1 to 255\nholdfast.toml:9: vrrp.mac: unknown"},
		},
		RealtimeNote: "operation not permitted",
		VRRP: []Instance{{
			Name: "outside", Group: "director", Interface: "eth0", Device: "vrrp4-51", MAC: "00:00:5e:00:01:33", Family: "ipv4", VRID: 51, Protocol: 3,
			State: "MASTER", Since: ago(10 * time.Minute), Why: "no advert heard", Holding: true, Priority: 150, EffectivePriority: 140, IntervalMS: 100, Preempt: true,
			Addresses: []string{"10.0.0.100/24", "10.0.0.101/24"}, Source: "10.0.0.2",
			Routes: []Policy{
				{Text: "route 0.0.0.0/0 via 10.0.0.1 table 7", Present: true},
				{Text: "route 10.9.0.0/16 dev eth7 table 254", Why: "interface eth7 does not exist"},
			},
			Rules: []Policy{{Text: "rule 1000 from 10.0.0.100/32 table 7", Present: true}},
			RefusedSpeakers: []RefusedSpeaker{{
				Address: "10.0.0.4", Reason: "peer", Problem: "it is not one of the configured peers", Priority: 90, IntervalMS: 100,
				Since: ago(time.Minute), LastHeard: ago(0), Count: 600, Advertises: true,
			}},
			RefusedForgotten: 2,
			Paths: []Path{
				{Interface: "eth0", Source: "10.0.0.2", Multicast: "224.0.0.18", LastHeard: ago(2 * time.Second), AdvertsSent: 1200, AdvertsReceived: 40, Dropped: map[string]uint64{}},
				{Interface: "eth2", Peers: []string{"10.9.0.3"}, Silent: true, Copies: 12, AdvertsReceived: 30, Dropped: map[string]uint64{"own_path": 3}},
			},
			Rival:    &Peer{Address: "10.0.0.3", MAC: "00:00:5e:00:01:33", Priority: 100, IntervalMS: 100, LastHeard: ago(0)},
			Counters: Counters{AdvertsSent: 6000, Transitions: 2, BecameMaster: 1, Moves: map[string]uint64{"INIT BACKUP": 1, "BACKUP MASTER": 1}, Dropped: map[string]uint64{"checksum": 4}, MaxLateMS: 1.5},
		}, {
			Name: "inside", Group: "director", Interface: "eth1", Device: "vrrp4-52", Family: "ipv4", VRID: 52, Protocol: 3,
			State: "FAULT", Since: ago(12 * time.Second), Priority: 150, EffectivePriority: 150, IntervalMS: 100, Addresses: []string{"192.168.0.254/24"},
			Reasons: []Reason{{Key: "link", Text: "eth1 has no carrier", Since: ago(12 * time.Second)}, {Key: "address", Text: "eth1 has no IPv4 address", Since: ago(4 * time.Second)}},
		}, {
			Name: "v6", Interface: "eth0", Refused: true, Family: "ipv6", VRID: 51, Protocol: 3, State: "BACKUP", Since: ago(50 * time.Hour), Priority: 90, EffectivePriority: 90, IntervalMS: 1000,
			Addresses: []string{"fe80::51/64"}, Rules: []Policy{{Text: "rule 9 iif vrrp6-51 table 8"}}, Waits: []Wait{{Key: "preempt_wait", Text: "waiting for the first verdicts on 2 servers"}}, Master: &Peer{Address: "fe80::2", Priority: 200, IntervalMS: 1000, LastHeard: ago(time.Second)},
		}},
		Groups: []Group{{Name: "director", State: "FAULT", Members: []string{"outside", "inside"}, Since: ago(12 * time.Second)}},
		Trackers: []Tracker{{
			Name: "gw", Type: "script", State: "down", Since: ago(12 * time.Second), Reason: "exit status 1: no answer", LastLook: ago(time.Second),
			Looks: 900, Bad: 13, For: map[string]int{"outside": -10, "inside": 0},
		}, {
			Name: "load", Type: "file", State: "up", Since: ago(time.Hour), Number: new(int), LastLook: ago(0), Looks: 3600, For: map[string]int{"v6": -2},
		}, {
			Name: "web", Type: "service", State: "unknown",
		}},
		BFD: &BFD{
			Sessions: []BFDSession{{
				Name: "gw", Neighbour: "10.0.0.1", Source: "10.0.0.2", Interface: "eth0", State: "Up", Since: ago(time.Hour), Reason: "the neighbour receives our packets",
				Diag: "no diagnostic", Discriminator: 7, Port: 49999, TxMS: 300, DetectionMS: 900, LastHeard: ago(time.Second / 10),
				Remote:      &BFDRemote{State: "Up", Diag: "no diagnostic", Discriminator: 9, MinTxMS: 300, MinRxMS: 200, Multiplier: 3},
				PacketsSent: 14_000, PacketsReceived: 13_900, Ups: 2, Downs: 1, Dropped: map[string]uint64{"ttl": 3, "auth": 1}, LastDrop: "ttl",
			}, {
				Name: "far", Neighbour: "2001:db8::1", Multihop: true, State: "Down", Since: ago(5 * time.Second), Reason: "no packet for 900ms: control detection time expired",
				Diag: "control detection time expired", Discriminator: 8, TxMS: 1000, PacketsUnsent: 4, Trouble: "send: network is unreachable",
			}},
			Dropped: map[string]uint64{"session": 2},
		},
		LVS: &LVS{
			Error:     "ipvsadm -A -t 10.0.0.100:53 -s twos: no such scheduler (module ip_vs_twos) (no such file or directory)\nread the IPVS timeouts: no answer from the kernel",
			RatesNote: "net.ipv4.vs.run_estimation is 0",
			Sync:      &Sync{Interface: "eth1", ID: 1, Follow: "director", Roles: []string{"master"}},
			Services: []lvs.ServiceStatus{{
				Name: "web", Service: "tcp 10.0.0.100:80", Scheduler: "wlc", Active: "always", Wanted: true, Present: true, ServersUp: 1, ServersTotal: 3,
				Health: "up", WeightUp: 5, Quorum: 6, Hysteresis: 2,
				Counters: lvs.Counters{Connections: 12345, BytesIn: 9999, BytesOut: 1_500_000_000, Rates: &lvs.Rates{ConnectionRate: 3}},
				Servers: []lvs.ServerStatus{
					{Name: "rs1", Address: "192.168.0.11:80", Forward: "nat", Health: "up", Configured: 5, FullAt: now.Add(12 * time.Second), Effective: 2, WeightFrom: lvs.FromCheck, WeightBy: "web/rs1#agent", Weight: 2, Present: true, Active: 7, Inactive: 30, Counters: lvs.Counters{Connections: 12345}},
					{Name: "rs2", Address: "192.168.0.12:80", Forward: "nat", Health: "down", Configured: 5, Effective: 9, WeightFrom: lvs.FromOperator, Overridden: true,
						Override: &lvs.Override{Weight: &lvs.WeightOrder{Order: lvs.Order{By: "uid 1000", At: ago(time.Minute)}, Weight: 9}}},
					{Name: "rs3", Address: "192.168.0.13:80", Forward: "nat", Health: "up", Configured: 5, WeightFrom: lvs.FromOperator, Present: true, Drained: true, File: "192.168.0.13",
						Override: &lvs.Override{Drained: &lvs.Order{By: "root", At: ago(time.Minute), Until: now.Add(5 * time.Minute)}}},
				},
			}, {
				Name: "mail", Service: "fwmark 7", Scheduler: "rr", Active: "always", Wanted: true, Present: true, OnFallback: true, ServersTotal: 1, Health: "down", Quorum: 1,
				Servers: []lvs.ServerStatus{
					{Name: "rs1", Address: "192.168.0.11:25", Forward: "dr", Health: "down", Configured: 1, Effective: 1, WeightFrom: lvs.FromConfig},
					{Name: "fallback", Address: "127.0.0.1:25", Forward: "nat", Configured: 1, Effective: 1, WeightFrom: lvs.FromConfig, Weight: 1, Present: true, Fallback: true},
				},
			}, {
				Name: "ftp", Service: "tcp 10.0.0.100:21", Scheduler: "rr", Active: "master", Follow: "director", ServersTotal: 0, Health: "unknown", Quorum: 1,
				PersistSecs: 300, PersistPrefix: 24, PersistEngine: "sip", OnePacket: true, Flags: []string{"flag-1"},
			}, {
				Name: "far", Service: "tcp 10.0.0.100:0", Scheduler: "wlc", Active: "always", Wanted: true, Present: true, ServersUp: 1, ServersTotal: 1, Health: "up", Quorum: 1,
				PersistSecs: 60, PersistPrefix: 32,
				Servers: []lvs.ServerStatus{{
					Name: "far1", Address: "203.0.113.11:0", Forward: "tun", Health: "up", Configured: 1, Effective: 1, WeightFrom: lvs.FromConfig, Weight: 1, Present: true,
					Upper: 100, Lower: 50, Tunnel: "gue", TunnelPort: 5555, TunnelChecksum: "remote",
				}},
			}, {
				Name: "dns", Service: "udp 10.0.0.100:53", Scheduler: "rr", Active: "always", Wanted: true, ServersUp: 1, ServersTotal: 1, Health: "up", Quorum: 1,
			}, {
				Service: "tcp 10.9.9.9:9", Scheduler: "rr", Active: "always", Health: "unknown", Present: true, Foreign: true,
			}},
		},
		Checks: []checker.Status{{
			ID: "web/rs1", Server: "web/rs1", Kind: "http", Address: netip.MustParseAddrPort("192.168.0.11:80"), State: checker.Up, Up: true, Since: ago(3 * time.Hour),
			Last: &checker.Result{At: ago(time.Second), Took: 1234567, OK: true}, Counts: checker.Counts{Attempts: 5400, Successes: 5399, Failures: 1},
			Failures:        []checker.Result{{At: ago(2 * time.Hour), Reason: "status 503"}},
			CertificateEnds: now.Add(40 * 24 * time.Hour),
			Recent:          "-+++", Latency: &checker.Latency{P50: 1200 * time.Microsecond, P90: 2 * time.Millisecond, P99: 3 * time.Millisecond, Max: 3 * time.Millisecond, Of: 3},
		}, {
			ID: "web/rs2", Server: "web/rs2", Kind: "http", Address: netip.MustParseAddrPort("192.168.0.12:80"), State: checker.Down, Since: ago(time.Minute),
			Last: &checker.Result{At: ago(2 * time.Second), Took: time.Second, Reason: "timeout"}, Counts: checker.Counts{Attempts: 30, Failures: 30},
			Failures: []checker.Result{{At: ago(2 * time.Second), Reason: "connect: connection refused"}},
		}, {
			ID: "mail/rs1", Server: "mail/rs1", Kind: "tcp", Address: netip.MustParseAddrPort("192.168.0.11:25"), State: checker.Unknown,
		}},
		Notify: []Outlet{
			{Name: OutletScripts, Delivered: 12, Dropped: 1, LastDelivery: ago(time.Minute), LastError: "exit status 3", LastErrorAt: ago(time.Hour)},
			{Name: "fifo /run/holdfast/notify.fifo", Queued: 3, Delivered: 700, Failed: 7, Dropped: 20, LastDelivery: ago(2 * time.Hour),
				LastError: "the pipe is full", LastErrorAt: ago(time.Second), FailingSince: ago(2 * time.Hour)},
		},
		MonTraps: []MonTraps{
			{Address: "10.0.0.2:2583", Listening: true, Taken: 17, LastTaken: ago(time.Minute), LastRefused: "192.0.2.9: no sender has this address",
				Refused: map[string]uint64{"sender": 3, "user": 0, "password": 1, "malformed": 0, "service": 0, "rate": 0}},
			{Address: "10.0.0.99:2583", Problem: "this host does not have the address"},
		},
		Alerts: []Alert{
			{Rule: "ops", Kind: "server", Subject: "web/rs2", Reason: "timeout", Since: ago(time.Minute), Failures: 30, Sent: 2, AckedBy: "ann", AckComment: "a new disk is on its way"},
			{Rule: "ops", Kind: "service", Subject: "mail", Since: ago(time.Minute), Failures: 1, Sent: 1},
		},
		DBus: &DBus{
			Bus: "system", Name: "org.keepalived.Vrrp1", Since: ago(7 * time.Second), Error: "the connection to the bus was lost",
			SignalsSent: 1234,
		},
		Dropped: map[string]uint64{"checksum": 5}, UnknownVRID: 3,
		Repairs: 6, Upgrades: 2,
		AdvertLateness: spent(6000, 20*time.Microsecond, 1500*time.Microsecond), CheckLateness: spent(5430, time.Millisecond),
		CheckDuration: map[string]*histogram.Snapshot{"http": spent(5430, time.Millisecond, time.Second), "tcp": spent(1, 0)},
		SNMP: &SNMP{
			AgentX: "/var/agentx/master", Since: ago(5 * time.Second), Error: "dial unix /var/agentx/master: connect: connection refused",
			Requests: 12345, TrapsSent: 2, TrapsQueued: 1,
		},
		Listen: []Listener{
			{Address: "192.168.0.2:9650", Serve: []string{"metrics", "page"}, TLS: true, Listening: true, Since: ago(time.Hour), CertificateExpires: ago(-30 * 24 * time.Hour)},
			{Address: "10.0.0.100:9650", Device: "eth0", Serve: []string{"api"}, Since: ago(time.Minute), Waits: "this director does not have the virtual address now"},
			{Address: "10.0.0.99:9650", Serve: []string{"api"}, Since: ago(time.Minute), Problem: "this host does not have the address"},
		},
	}
}
