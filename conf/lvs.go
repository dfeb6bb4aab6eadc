package conf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"holdfast/lvs"
)

var onStop = choice(option[OnStop]{"clear", Clear}, option[OnStop]{"keep", Keep})

// visitLVS visits [lvs], and returns the table [lvs.sync] if there is one.
func (c *Config) visitLVS(t *table) (sync *table) {
	l := &c.LVS
	field(t, "on_stop", &l.OnStop, onStop, Clear)
	field(t, "via_mark", &l.ViaMark, integer[uint32](1, 1<<32-viaMarks), 1<<30)
	field(t, "preempt_wait", &l.PreemptWait, duration(0, 24*time.Hour), time.Minute)
	field(t, "maintenance_dir", &l.MaintenanceDir, optional(absolutePath), "")
	t.maybe("sync", l.Sync.Interface != "", func(t *table) {
		sync = t
		visitSync(t, &l.Sync)
		field(t, "preempt_wait", &l.SyncPreemptWait, duration(0, 24*time.Hour), 15*time.Second)
	})
	t.sub("timeouts", func(t *table) {
		// The limit of the kernel is INT_MAX/HZ seconds, with HZ = 1000 24.8 days
		// (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_set_timeout).
		seconds := wholeSeconds(duration(0, 24*24*time.Hour))
		field(t, "tcp", &l.Timeouts.TCP, seconds, 0)
		field(t, "tcpfin", &l.Timeouts.TCPFin, seconds, 0)
		field(t, "udp", &l.Timeouts.UDP, seconds, 0)
	})
	t.sub("sysctl", func(t *table) { l.visitSysctls(t, c.balancesUDP()) })
	return sync
}

// visitSysctls visits [lvs.sysctl], after [lvs.sync]. udp is not known while the
// configuration is read: see resolveUDP.
func (l *LVS) visitSysctls(t *table, udp bool) {
	for _, s := range lvs.Sysctls() {
		value := l.Sysctls[s.Name]
		field(t, s.Name, &value, optional(sysctl(s)), l.sysctlDefault(s.Name, udp))
		if !t.reading() || value == "" {
			continue
		}
		if l.Sysctls == nil {
			l.Sysctls = map[string]string{}
		}
		l.Sysctls[s.Name] = value
	}
}

// Values that suit [lvs.sync]. With the kernel's, "3 50" and 0, a director that has
// come back would know a connection only after another 50 packets of it, however long
// these take.
const (
	syncRefresh   = "10"
	syncThreshold = "3 4"
)

// sysctlDefault returns the value of a sysctl that is not configured; "" is the
// kernel's.
func (l *LVS) sysctlDefault(name string, udp bool) string {
	switch {
	case name == "expire_nodest_conn" && udp:
		return "1"
	case l.Sync.Interface == "":
	case name == "sync_refresh_period":
		return syncRefresh
	case name == "sync_threshold" && l.Sysctls["sync_refresh_period"] != "0": // each time would be too often
		return syncThreshold
	}
	return ""
}

// resolveUDP completes the sysctls of a director that has services over UDP. The kernel
// would drop the packets of a flow whose server was removed for as long as the client
// sends: each packet begins the timeout anew.
func (c *Config) resolveUDP() {
	l := &c.LVS
	if l.Sysctls["expire_nodest_conn"] != "" || !c.balancesUDP() {
		return
	}
	if l.Sysctls == nil {
		l.Sysctls = map[string]string{}
	}
	l.Sysctls["expire_nodest_conn"] = "1"
}

func (c *Config) balancesUDP() bool {
	return slices.ContainsFunc(c.Services, func(s Service) bool {
		return s.Service.Key.Protocol == lvs.UDP && s.Service.Key.Mark == 0
	})
}

// syncSlack is how much later than after sync_refresh_period a connection with two
// packets a second is known: two seconds for four packets, one for the sender to wake
// up, and two for which the kernel gathers copies (IPVS_SYNC_FLUSH_TIME in
// net/netfilter/ipvs/ip_vs_sync.c).
const syncSlack = 5 * time.Second

// resolveSync derives the default of preempt_wait from how often connections are
// copied.
func (l *LVS) resolveSync(t *table) {
	refresh, err := strconv.Atoi(l.Sysctls["sync_refresh_period"])
	if err == nil && refresh > 0 && !t.has("preempt_wait") {
		l.SyncPreemptWait = time.Duration(refresh)*time.Second + syncSlack
	}
}

// sysctl is the value of a sysctl: a number, or text with several.
func sysctl(s lvs.Sysctl) codec[string] {
	return simple(func(v value) (string, error) {
		switch data := v.data.(type) {
		case int64:
			return s.Parse(strconv.FormatInt(data, 10))
		case string:
			return s.Parse(data)
		}
		return s.Parse(v.String())
	}, func(text string) any {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		return text
	})
}

// visitSync visits [lvs.sync]. The default of Follow is chosen in refs.go.
func visitSync(t *table, s *lvs.SyncConfig) {
	need(t, "interface", &s.Interface, interfaceName)
	field(t, "id", &s.ID, integer[uint8](0, 255), 0)
	field(t, "follow", &s.Follow, optional(name), "")
	field(t, "max_len", &s.MaxLen, optional(integer[uint16](1, 65535)), 0)
	field(t, "group", &s.Group, optional(multicast), netip.Addr{})
	field(t, "port", &s.Port, optional(integer[uint16](1, 65535)), 0)
	field(t, "ttl", &s.TTL, optional(integer[uint8](1, 255)), 0)
	if !t.reading() {
		return
	}
	for _, fault := range faults(s.Validate()) {
		if field, ok := errors.AsType[*lvs.FieldError](fault); ok && t.ok(field.Key) {
			t.failf(field.Key, "%s", field.Problem)
		}
	}
}

// multicast is the address of a multicast group.
var multicast = textual("a multicast address", func(s string) (netip.Addr, error) {
	a, err := parseAddress(s)
	if err == nil && !a.IsMulticast() {
		err = fmt.Errorf("%v is not a multicast address", a)
	}
	return a, err
}, netip.Addr.String)
