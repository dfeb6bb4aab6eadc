package director

import (
	"maps"
	"reflect"
	"slices"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/track"
	"holdfast/conf"
)

// openBFD starts the speaker of BFD. It is in time on a busy machine as far as
// adverts are.
func (d *Director) openBFD() error {
	var err error
	d.bfd, err = bfd.NewSpeaker(bfd.Options{
		Log: d.log, Realtime: goRealtime,
		OnChange: func(c bfd.Change) { d.mail.post(func() { d.bfdChanged(c) }) },
	})
	return err
}

// applyBFD takes the sessions of a configuration over. Those that are up go on
// through a reload, and from a binary that this one replaces.
func (d *Director) applyBFD(c *conf.Config) {
	var known map[string]bfd.SavedSession
	if d.conf == nil {
		known = d.inherited.BFD
	}
	list := make([]bfd.Config, len(c.BFD))
	for i := range c.BFD {
		list[i] = bfdConfig(&c.BFD[i])
	}
	d.bfd.Apply(list, known, sinceBoot()-d.inherited.At)
}

func bfdConfig(b *conf.BFD) bfd.Config {
	return bfd.Config{
		Name: b.Name, Neighbour: b.Neighbour, Source: b.Source, Interface: b.Interface,
		Multihop: b.Multihop, TTL: b.TTL, MinTTL: uint8(bfd.HopLimit - b.MaxHops),
		Timers: bfd.Timers{MinTx: b.MinTx, MinRx: b.MinRx, IdleTx: b.IdleTx, Multiplier: b.Multiplier, Passive: b.Passive},
	}
}

// bfdChanged tells the journal and the trackers of what became of a session.
func (d *Director) bfdChanged(c bfd.Change) {
	// Init is on the way to Up, or shows in the status if it stays.
	if c.From != c.To && c.To != bfd.Init {
		d.log.Info("bfd", "session", c.Name, "from", c.From.String(), "to", c.To.String(), "reason", c.Reason)
		d.note(control.Event{
			At: c.At, Kind: control.KindBFD, Subject: c.Name, From: c.From.String(), To: c.To.String(), Reason: c.Reason,
		})
	}
	d.tellBFD(c.Name, c.Verdict, c.Reason)
}

// tellBFD tells the trackers of a session how it is.
func (d *Director) tellBFD(session string, v bfd.Verdict, reason string) {
	if v == bfd.VerdictUnknown {
		return
	}
	r := track.Reading{Up: v == bfd.VerdictUp}
	if !r.Up {
		r.Reason = reason
	}
	for i := range d.conf.Tracks {
		if k := &d.conf.Tracks[i]; k.Kind == conf.TrackBFD && k.BFD == session {
			d.tracks.Tell(k.Name, r)
		}
	}
}

// tellAllBFD tells trackers that a reload may have made.
func (d *Director) tellAllBFD() {
	sessions, _ := d.bfd.Status()
	for i := range sessions {
		d.tellBFD(sessions[i].Config.Name, sessions[i].Verdict, sessions[i].Reason)
	}
}

// bfdStatus is what is known of the sessions, nil when there are none.
func (d *Director) bfdStatus() *control.BFD {
	if len(d.conf.BFD) == 0 {
		return nil
	}
	sessions, dropped := d.bfd.Status()
	b := &control.BFD{Dropped: dropped}
	for i := range sessions {
		b.Sessions = append(b.Sessions, sessionStatus(&sessions[i]))
	}
	return b
}

func sessionStatus(s *bfd.Status) control.BFDSession {
	c := &s.Config
	out := control.BFDSession{
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
		out.Remote = &control.BFDRemote{
			State: s.RemoteState.String(), Diag: s.RemoteDiag.String(), Discriminator: s.Remote,
			MinTxMS: ms(s.RemoteMinTx), MinRxMS: ms(s.RemoteMinRx), Multiplier: int(s.RemoteMultiple),
		}
	}
	return out
}

// describeBFD says in sentences how the sessions of two configurations differ.
func describeBFD(old, new *conf.Config, say func(format string, args ...any)) {
	former := map[string]conf.BFD{}
	for _, b := range old.BFD {
		former[b.Name] = b
	}
	for _, b := range new.BFD {
		switch o, ok := former[b.Name]; {
		case !ok:
			say("add bfd %s", b.Name)
		case !reflect.DeepEqual(o, b):
			say("change bfd %s", b.Name)
		}
		delete(former, b.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(former)) {
		say("remove bfd %s", name)
	}
}
