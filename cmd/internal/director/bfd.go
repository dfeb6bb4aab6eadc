package director

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
)

// A bfdSessions is the subsystem of the BFD sessions (RFC 5880). Trackers turn
// what becomes of a session into faults and weights.
type bfdSessions struct {
	base
	speaker *bfd.Speaker
	// verdict is called with what a session is known to be.
	verdict func(session string, v bfd.Verdict, reason string)

	// realtime says why the VRRP loop has no real-time priority; nil: it has.
	realtime func() error
	problems func([]status.Problem)
	urgency  urgency // while a session has a detection time below 100 ms

	configured bool
	known      map[string]bfd.SavedSession // sessions of the former binary, until the first apply
	savedAt    time.Duration               // when that binary saved them, since boot
}

// ride returns the speaker, which the VRRP loop runs. With real-time priority BFD
// packets are then as punctual on a busy machine as adverts are.
func (s *bfdSessions) ride(loop bfd.Loop) loopCompanion {
	s.speaker = bfd.NewSpeaker(bfd.Options{
		Log: s.log, Loop: loop,
		OnChange: func(c bfd.Change) { s.post(func() { s.changed(c) }) },
		OnUrgent: func(sessions []string) { s.post(func() { s.hurry(sessions) }) },
	})
	return s.speaker
}

func (s *bfdSessions) restore(u *upgradeState) { s.known, s.savedAt = u.BFD, u.At }

func (s *bfdSessions) apply(c *conf.Config) {
	list := make([]bfd.Config, len(c.BFD))
	for i := range c.BFD {
		list[i] = bfdConfig(&c.BFD[i])
	}
	s.speaker.Apply(list, s.known, sinceBoot()-s.savedAt)
	s.known, s.configured = nil, len(list) > 0
	s.hurry(s.speaker.Urgent()) // at once: a start is work, and its messages are read after it
}

func bfdConfig(b *conf.BFD) bfd.Config {
	return bfd.Config{
		Name: b.Name, Neighbour: b.Neighbour, Source: b.Source, Interface: b.Interface,
		Multihop: b.Multihop, TTL: b.TTL, MinTTL: uint8(bfd.HopLimit - b.MaxHops),
		Timers: bfd.Timers{MinTx: b.MinTx, MinRx: b.MinRx, IdleTx: b.IdleTx, Multiplier: b.Multiplier, Passive: b.Passive},
	}
}

func (s *bfdSessions) report(st *status.Status) {
	if !s.configured {
		return
	}
	sessions, dropped := s.speaker.Status()
	st.BFD = &status.BFD{Dropped: dropped}
	for i := range sessions {
		st.BFD.Sessions = append(st.BFD.Sessions, sessionStatus(&sessions[i]))
	}
}

// suspend has neighbours wait longer, so that no session goes down while no
// packet is sent. The next apply takes that back.
func (s *bfdSessions) suspend() { s.speaker.RelaxTimers() }

func (s *bfdSessions) save(u *upgradeState) { u.BFD = s.speaker.Save() }

func (s *bfdSessions) withdraw() { s.speaker.AdminDown() }

func (s *bfdSessions) close() { s.urgency.over() }

// hurry has all threads run with real-time priority while there are urgent sessions, or
// says of each of them that the machine may cost it.
func (s *bfdSessions) hurry(sessions []string) {
	err := s.realtime()
	switch {
	case len(sessions) == 0:
		s.urgency.over()
	case err == nil && s.urgency.end == nil:
		err = s.urgency.begin(s.spawn)
	}
	var all []status.Problem
	for _, name := range sessions {
		if err != nil {
			all = append(all, status.Problem{Kind: "bfd", Name: name, Text: "a detection time below 100ms is not safe on a busy machine: " + err.Error()})
		}
	}
	s.problems(all)
}

// changed publishes the change of a session, and passes its verdict on.
func (s *bfdSessions) changed(c bfd.Change) {
	// Init is on the way to Up, or shows in the status if it stays.
	if c.From != c.To && c.To != bfd.Init {
		s.log.Info("bfd", "session", c.Name, "from", c.From.String(), "to", c.To.String(), "reason", c.Reason)
		s.publish(event.Event{
			At: c.At, Kind: event.KindBFD, Subject: c.Name, From: c.From.String(), To: c.To.String(), Reason: c.Reason,
		})
	}
	s.verdict(c.Name, c.Verdict, c.Reason)
}

// reportAll passes on the verdict of every session.
func (s *bfdSessions) reportAll() {
	sessions, _ := s.speaker.Status()
	for i := range sessions {
		s.verdict(sessions[i].Config.Name, sessions[i].Verdict, sessions[i].Reason)
	}
}

// linkChanged has sessions look for their interfaces again.
func (s *bfdSessions) linkChanged(e *netdev.Event) {
	switch e.Kind {
	case netdev.LinkChanged:
		s.speaker.LinkChanged(e.Name, e.Was)
	case netdev.Resync:
		s.speaker.LinkChanged()
	}
}

func sessionStatus(s *bfd.Status) status.BFDSession {
	c := &s.Config
	out := status.BFDSession{
		Name: c.Name, Neighbour: c.Neighbour.String(), Interface: c.Interface, Multihop: c.Multihop,
		State: s.State.String(), Since: s.Since, Reason: s.Reason, Diag: s.Diag.String(),
		Discriminator: s.Local, Port: int(s.Port), TxMS: ms(s.Interval), DetectionMS: ms(s.Detection), LastHeard: s.Heard,
		Trouble:     s.Trouble,
		PacketsSent: s.Sent, PacketsUnsent: s.Unsent, PacketsReceived: s.Received, Ups: s.Ups, Downs: s.Downs, Dropped: s.Dropped,
		LastDrop: s.LastDrop.String(),
	}
	if c.Source.IsValid() {
		out.Source = c.Source.String()
	}
	if s.Remote != 0 {
		out.Remote = &status.BFDRemote{
			State: s.RemoteState.String(), Diag: s.RemoteDiag.String(), Discriminator: s.Remote,
			MinTxMS: ms(s.RemoteMinTx), MinRxMS: ms(s.RemoteMinRx), Multiplier: int(s.RemoteMultiple),
		}
	}
	return out
}

// describeBFD says in sentences how the sessions of two configurations differ.
func describeBFD(old, new *conf.Config, add func(format string, args ...any)) {
	former := map[string]conf.BFD{}
	for _, b := range old.BFD {
		former[b.Name] = b
	}
	for _, b := range new.BFD {
		switch o, ok := former[b.Name]; {
		case !ok:
			add("add bfd %s", b.Name)
		case !reflect.DeepEqual(o, b):
			add("change bfd %s", b.Name)
		}
		delete(former, b.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(former)) {
		add("remove bfd %s", name)
	}
}
