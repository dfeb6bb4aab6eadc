package conf

import (
	"errors"
	"fmt"
	"strings"

	"holdfast/lvs"
)

var (
	protocol = choice(
		option[lvs.Protocol]{"tcp", lvs.TCP},
		option[lvs.Protocol]{"udp", lvs.UDP},
		option[lvs.Protocol]{"sctp", lvs.SCTP},
	)
	active     = choice(option[lvs.Active]{"always", lvs.ActiveAlways}, option[lvs.Active]{"master", lvs.ActiveMaster}, option[lvs.Active]{"never", lvs.ActiveNever})
	onDown     = choice(option[lvs.OnDown]{"remove", lvs.Remove}, option[lvs.OnDown]{"quiesce", lvs.Quiesce})
	markFamily = choice(option[bool]{"ipv4", false}, option[bool]{"ipv6", true})
	engine     = choice(option[string]{"sip", "sip"})
)

// visit visits a service. It visits the defaults of servers before the servers.
func (s *Service) visit(t *table) {
	need(t, "name", &s.Name, name)
	balanced := t.reading() || s.Active != lvs.ActiveNever
	if balanced {
		s.visitKey(t)
		s.visitScheduling(t)
	}
	field(t, "active", &s.Active, active, lvs.ActiveAlways)
	if balanced {
		field(t, "follow", &s.Follow, optional(name), "")
		field(t, "on_down", &s.OnDown, onDown, lvs.Remove)
	}
	inherited, startsUp := s.common(t.brief)
	if balanced && (t.reading() || t.brief) { // otherwise each server shows its own
		inherited.visit(t, defaultDelivery)
	}
	if t.reading() || t.brief {
		field(t, "starts_up", &startsUp, boolean, false)
	}
	s.visitQuorum(t)
	if balanced {
		s.visitFallback(t, inherited.forward)
	}
	s.checkKey(t)
	checkOK := visitChecks(t, &s.Checks, checkDefaults{def: s.defaultCheck()})
	t.sub("notify", s.Notify.visit)

	servers, notify := s.servers(), s.Notify.ServerNotify
	tables := list(t, "server", &servers, func(t *table, r *server) {
		r.visit(t, s, inherited, startsUp, checkOK)
		r.visitNotify(t, &notify)
	})
	if t.reading() {
		s.setServers(servers)
		s.validate(t, tables)
	}
}

func (s *Service) visitScheduling(t *table) {
	v := &s.Service
	field(t, "scheduler", &v.Scheduler, scheduler, "wlc")
	flags := schedulerFlags(v.Scheduler)
	if t.reading() && !t.ok("scheduler") {
		flags = schedulerFlags("")
	}
	chosen := v.Flags &^ lvs.FlagOnePacket
	field(t, "scheduler_flags", &chosen, flags, 0)
	onePacket := v.Flags&lvs.FlagOnePacket != 0
	field(t, "one_packet", &onePacket, boolean, false)
	field(t, "persistence", &v.Persistence, wholeSeconds(duration(0, lvs.MaxPersistence)), 0)
	if t.reading() || v.Persistence > 0 {
		field(t, "persistence_prefix", &v.PersistPrefix, integer[int](1, 128), 0)
		field(t, "persistence_engine", &v.PersistEngine, optional(engine), "")
	}
	if !t.reading() {
		return
	}
	v.Flags = chosen
	if onePacket {
		v.Flags |= lvs.FlagOnePacket
	}
	if v.Persistence == 0 && t.ok("persistence") {
		t.forbid("without persistence", "persistence_prefix", "persistence_engine")
	}
}

// defaultCheck is the check of a service without [service.check].
func (s *Service) defaultCheck() Check {
	if s.Active == lvs.ActiveNever {
		return defaultCheck(lvs.TCP)
	}
	return defaultCheck(s.Service.Key.Protocol)
}

// validate reports what package lvs refuses, and makes the service canonical.
func (s *Service) validate(t *table, servers []*table) {
	for _, fault := range faults(s.ServiceConfig.Validate()) {
		field, ok := errors.AsType[*lvs.FieldError](fault)
		if !ok {
			continue
		}
		at := t
		if field.Server >= 0 {
			at = servers[field.Server]
		}
		// A key with an error has been reported, and the default of follow is set
		// later, in refs.go.
		if at.ok(field.Key) && at.ok("address", "mark") && field.Key != "follow" {
			at.failf(field.Key, "%s", field.Problem)
		}
	}
	s.Service = s.Service.Canonical()
	for i := range s.Servers {
		s.Servers[i].Server = s.Servers[i].Server.Canonical()
	}
	if len(s.Servers) == 0 && !t.has("fallback") && t.ok("server") {
		t.failf("", "a service needs at least one [[service.server]] or a fallback")
	}
}

// scheduler is a scheduler of the kernel.
var scheduler = textual("the name of a scheduler", func(s string) (string, error) {
	got, err := lvs.ParseScheduler(s)
	if err != nil {
		names := lvs.Schedulers()
		return "", fmt.Errorf("must be one of %s, not %s%s", strings.Join(names, " "), quoteShort(s), suggest(s, names))
	}
	return got, nil
}, func(s string) string { return s })

// schedulerFlags is a set of flags of one scheduler.
func schedulerFlags(scheduler string) codec[lvs.Flags] {
	flag := textual("the name of a flag", func(s string) (lvs.Flags, error) {
		if scheduler == "" { // the unknown scheduler has been reported
			return 0, nil
		}
		return lvs.ParseSchedulerFlag(scheduler, s)
	}, nil)
	return codec[lvs.Flags]{
		decode: func(v value, fail func(value, string)) (lvs.Flags, bool) {
			flags, ok := listOf(flag).decode(v, fail)
			var all lvs.Flags
			for _, f := range flags {
				all |= f
			}
			return all, ok
		},
		encode: func(all lvs.Flags) any {
			var names []any
			for i, f := range []lvs.Flags{lvs.FlagSched1, lvs.FlagSched2, lvs.FlagSched3} {
				if all&f != 0 {
					names = append(names, fmt.Sprintf("flag-%d", i+1))
				}
			}
			if names == nil {
				return nil
			}
			return names
		},
	}
}
