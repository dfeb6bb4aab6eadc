package conf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"holdfast/lvs"
)

var onStop = choice(option[OnStop]{"clear", Clear}, option[OnStop]{"keep", Keep})

// visit visits [lvs], and returns the table [lvs.sync] if there is one.
func (l *LVS) visit(t *table) (sync *table) {
	field(t, "on_stop", &l.OnStop, onStop, Clear)
	field(t, "via_mark", &l.ViaMark, integer[uint32](1, 1<<32-viaMarks), 1<<30)
	field(t, "preempt_wait", &l.PreemptWait, duration(0, 24*time.Hour), time.Minute)
	field(t, "maintenance_dir", &l.MaintenanceDir, optional(absolutePath), "")
	t.maybe("sync", l.Sync.Interface != "", func(t *table) {
		sync = t
		visitSync(t, &l.Sync)
		field(t, "preempt_wait", &l.SyncPreemptWait, duration(0, 24*time.Hour), 12*time.Second)
	})
	t.sub("timeouts", func(t *table) {
		// The limit of the kernel is INT_MAX/HZ seconds, with HZ = 1000 24.8 days
		// (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_set_timeout).
		seconds := wholeSeconds(duration(0, 24*24*time.Hour))
		field(t, "tcp", &l.Timeouts.TCP, seconds, 0)
		field(t, "tcpfin", &l.Timeouts.TCPFin, seconds, 0)
		field(t, "udp", &l.Timeouts.UDP, seconds, 0)
	})
	t.sub("sysctl", l.visitSysctls)
	return sync
}

// visitSysctls visits [lvs.sysctl], after [lvs.sync].
func (l *LVS) visitSysctls(t *table) {
	for _, s := range lvs.Sysctls() {
		value, normal := l.Sysctls[s.Name], ""
		if l.Sync.Interface != "" {
			normal = syncSysctls[s.Name]
		}
		field(t, s.Name, &value, optional(sysctl(s)), normal)
		if !t.reading() || value == "" {
			continue
		}
		if l.Sysctls == nil {
			l.Sysctls = map[string]string{}
		}
		l.Sysctls[s.Name] = value
	}
}

// syncSysctls are the values that suit [lvs.sync]. With the kernel's own, "3 50" and 0,
// a director that has come back would know a connection only after another 50 packets
// of it, however long that takes.
var syncSysctls = map[string]string{"sync_threshold": "3 10", "sync_refresh_period": "10"}

// syncFlush is how long the kernel gathers copies before it sends them
// (IPVS_SYNC_FLUSH_TIME in net/netfilter/ipvs/ip_vs_sync.c).
const syncFlush = 2 * time.Second

// resolveSync derives the default of preempt_wait from how often connections are
// copied.
func (l *LVS) resolveSync(t *table) {
	refresh, err := strconv.Atoi(l.Sysctls["sync_refresh_period"])
	if err == nil && refresh > 0 && !t.has("preempt_wait") {
		l.SyncPreemptWait = time.Duration(refresh)*time.Second + syncFlush
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
