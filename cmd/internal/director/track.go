package director

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"time"

	"holdfast/checker/probe"
	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/track"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/netdev"
	"holdfast/vrrp"
)

// openTrackers makes the set of trackers, and the watch that has file trackers
// look when their files change.
func (d *Director) openTrackers() {
	d.tracks = track.NewSet(d.log, func(c track.Change) {
		d.mail.post(func() { d.trackerChanged(c) })
	})
	d.processes = track.NewProcesses(d.log, d.tracks.Nudge)
	var err error
	d.files, err = track.NewWatch(func(path string) { d.mail.post(func() { d.fileChanged(path) }) })
	if err != nil {
		d.log.Warn("tracked files are looked at in intervals only", "err", err)
	}
}

// closeTrackers ends all looks. It may be called again.
func (d *Director) closeTrackers() {
	if d.tracks != nil {
		d.tracks.Close()
	}
	if d.processes != nil {
		d.processes.Close()
	}
	if d.files != nil {
		_ = d.files.Close() // it was only read
		d.files = nil
	}
}

// applyTrackers takes the trackers of a configuration over. Those that are as
// before keep their state.
func (d *Director) applyTrackers(c *conf.Config) {
	configs := make([]track.Config, len(c.Tracks))
	var files []string
	processes := map[string]track.Process{}
	for i := range c.Tracks {
		k := &c.Tracks[i]
		configs[i] = track.Config{
			Name: k.Name, Spec: lookedAt(*k, &c.Director), Look: d.looker(k, &c.Director),
			Interval: k.Interval, Timeout: k.Timeout, Rise: k.Rise, Fall: k.Fall, TimeoutFall: k.TimeoutFall,
			Reverse: k.Reverse, Numeric: k.Kind == conf.TrackFile,
		}
		if p, ok := d.inherited.Trackers[k.Name]; ok && d.conf == nil {
			configs[i].Known = &p
		}
		switch k.Kind {
		case conf.TrackFile:
			files = append(files, k.File)
		case conf.TrackProcess:
			processes[k.Name] = process(k)
		}
	}
	d.processes.Set(processes)
	d.tracks.Apply(configs)
	d.watchRoutes(c)
	if d.files != nil {
		if err := d.files.Set(files); err != nil {
			d.log.Warn("a tracked file is looked at in intervals only", "err", err)
		}
	}
}

// lookedAt is the part of a tracker that its state depends on.
func lookedAt(k conf.Track, c *conf.Director) any {
	k.Weight, k.StartsUp = 0, false
	return [...]any{k, runAs(&k.Command, c), c.Name}
}

// looker returns how a tracker looks; nil: it is told.
func (d *Director) looker(k *conf.Track, c *conf.Director) func(context.Context) track.Reading {
	switch k.Kind {
	case conf.TrackInterface:
		return reading(func(context.Context) error { return netdev.LinkUp(k.Interface) })
	case conf.TrackScript:
		return track.Script(runAs(&k.Command, c), track.Environ(c.Name, k.Name))
	case conf.TrackFile:
		return track.File(k.File, k.Missing)
	case conf.TrackProcess:
		return d.processes.Look(k.Name, process(k))
	case conf.TrackNeighbour:
		return reading(func(ctx context.Context) error { return netdev.Neighbour(ctx, k.Interface, k.Address) })
	case conf.TrackPing:
		return pingLook(k)
	case conf.TrackRoute:
		return reading(func(context.Context) error { return netdev.Route(k.Route, k.Table, k.Interface) })
	}
	return nil
}

func process(k *conf.Track) track.Process {
	return track.Process{
		Name: k.Process, Parameters: k.Parameters, Min: k.Quorum, Max: k.QuorumMax,
		Initial: k.ParametersMatch == conf.ParametersInitial, Partial: k.ParametersMatch == conf.ParametersPartial,
	}
}

// pingLook returns a look that pings. It has a socket only while it looks:
// nothing of it outlives its tracker.
func pingLook(k *conf.Track) func(context.Context) track.Reading {
	addr := k.Address
	if addr.IsLinkLocalUnicast() && addr.Is6() {
		addr = addr.WithZone(k.Interface)
	}
	to := probe.Target{Address: netip.AddrPortFrom(addr, 0), Dial: probe.Dial{Device: k.Interface}, Timeout: k.Timeout}
	return reading(func(ctx context.Context) error {
		p := new(probe.Tools).Prober(probe.Ping{}, to)
		defer probe.Discard(p)
		return p.Probe(ctx)
	})
}

// reading makes a look of a function that returns what is wrong.
func reading(look func(context.Context) error) func(context.Context) track.Reading {
	return func(ctx context.Context) track.Reading {
		if err := look(ctx); err != nil {
			return track.Reading{Reason: err.Error()}
		}
		return track.Reading{Up: true}
	}
}

// fileChanged has the trackers of a file look at it.
func (d *Director) fileChanged(path string) {
	for i := range d.conf.Tracks {
		if k := &d.conf.Tracks[i]; k.Kind == conf.TrackFile && k.File == path {
			d.tracks.Nudge(k.Name)
		}
	}
}

// nudgeTrackers has the trackers look that a link event may concern.
func (d *Director) nudgeTrackers(e netdev.Event) {
	if d.conf == nil || e.Kind == netdev.AddressChanged {
		return
	}
	for i := range d.conf.Tracks {
		k := &d.conf.Tracks[i]
		concerns := k.Interface != "" && (k.Interface == e.Name || k.Interface == e.Was)
		// A route may go with any interface, and IPv4 routes go unsaid.
		if concerns || e.Kind == netdev.Resync || k.Kind == conf.TrackRoute {
			d.tracks.Nudge(k.Name)
		}
	}
}

// tellServices tells the trackers of virtual services how these are.
func (d *Director) tellServices() {
	for i := range d.conf.Tracks {
		k := &d.conf.Tracks[i]
		if k.Kind != conf.TrackService {
			continue
		}
		s := d.balance.services[k.Service]
		if r, known := serviceReading(k, &s, d.balance.table.Health); known {
			d.tracks.Tell(k.Name, r)
		}
	}
}

// serviceReading says whether enough servers are up. As long as the servers
// that nobody has judged yet could decide it, nothing is known.
func serviceReading(k *conf.Track, s *conf.Service, health func(lvs.Ref) lvs.Health) (r track.Reading, known bool) {
	up, weight, maybe, maybeWeight := 0, 0, 0, 0
	for _, server := range s.Servers {
		switch health(lvs.Ref{Service: s.Name, Server: server.Name}) {
		case lvs.Up:
			up++
			weight += server.Server.Weight
		case lvs.Unknown:
			maybe++
			maybeWeight += server.Server.Weight
		}
	}
	switch {
	case up >= k.Quorum && weight >= k.QuorumSum:
		return track.Reading{Up: true}, true
	case up+maybe >= k.Quorum && weight+maybeWeight >= k.QuorumSum:
		return track.Reading{}, false
	}
	r.Reason = fmt.Sprintf("%d of %d servers of %s are up, %d are needed", up, len(s.Servers), s.Name, k.Quorum)
	if weight < k.QuorumSum {
		r.Reason += fmt.Sprintf("; their weights sum up to %d, %d is needed", weight, k.QuorumSum)
	}
	return r, true
}

// trackerChanged tells everybody of another verdict.
func (d *Director) trackerChanged(c track.Change) {
	e := control.Event{
		At: c.At, Kind: control.KindTracker, Subject: c.Name,
		From: c.From.String(), To: c.Standing.State.String(), Reason: c.Reason,
	}
	if c.Standing.Numeric {
		e.Detail = map[string]string{"number": strconv.Itoa(c.Standing.Number)}
	}
	d.log.Info("tracker", "name", c.Name, "from", e.From, "to", e.To, "reason", c.Reason)
	d.note(e)
	d.rememberTrackers()
	for _, in := range d.instances {
		if slices.ContainsFunc(in.track, func(k conf.Tracking) bool { return k.Name == c.Name }) {
			d.tellTracking(in)
		}
	}
}

// tracking returns what a member of a unit tracks: what it says itself, what
// its group says, and what its fellow members weigh. A unit moves as one, so
// its members must change their priority together.
func (u *unit) tracking(member int) []conf.Tracking {
	list := slices.Concat(u.members[member].Track, u.track)
	for i := range u.members {
		for _, k := range u.members[i].Track {
			if k.Weight != 0 {
				list = append(list, k)
			}
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(k conf.Tracking) bool {
		twice := seen[k.Name]
		seen[k.Name] = true
		return twice
	})
}

// beginTracking makes the trackers of an instance count. One that starts from
// nothing waits for all that could fault it or change its priority: it would
// take over from a better one and give back.
func (d *Director) beginTracking(in *instance, list []conf.Tracking, wait bool) {
	in.track = list
	in.awaits = map[string]bool{}
	for _, k := range list {
		if wait && !d.startsUp(k.Name) {
			in.awaits[k.Name] = true
		}
	}
}

func (d *Director) startsUp(tracker string) bool {
	i := slices.IndexFunc(d.conf.Tracks, func(k conf.Track) bool { return k.Name == tracker })
	return i >= 0 && d.conf.Tracks[i].StartsUp
}

// tellTracking tells the speaker what is new of what trackers do to an instance.
func (d *Director) tellTracking(in *instance) {
	if !in.added {
		return
	}
	for _, ev := range d.trackingNews(in) {
		d.tell(in, ev)
	}
}

// trackingNews returns what the speaker is to be told of what trackers do to an
// instance: what it was not told before.
func (d *Director) trackingNews(in *instance) []vrrp.Event {
	faults, sum := d.tracked(in)
	var news []vrrp.Event
	if sum != in.weight {
		news = append(news, vrrp.Weigh{Sum: sum})
	}
	for _, key := range slices.Sorted(maps.Keys(faults)) {
		if in.tracked[key] != faults[key] {
			news = append(news, faults[key])
		}
	}
	for key := range in.tracked {
		if _, still := faults[key]; !still {
			news = append(news, vrrp.Recovered{Key: key})
		}
	}
	in.tracked, in.weight = faults, sum
	return news
}

// tracked returns the faults that trackers raise in an instance, and the sum
// of what they add to its priority.
func (d *Director) tracked(in *instance) (faults map[string]vrrp.Faulted, sum int) {
	faults = map[string]vrrp.Faulted{}
	status := d.tracks.Status()
	for _, k := range in.track {
		st, key := status[k.Name], faultTrack+k.Name
		if st.State != track.Unknown {
			delete(in.awaits, k.Name)
		}
		switch effect := st.On(k.Weight); {
		case in.awaits[k.Name]:
			faults[key] = vrrp.Faulted{Key: key, Problem: "tracker " + k.Name + " is not known yet"}
		case effect.Fault:
			faults[key] = vrrp.Faulted{Key: key, Problem: fmt.Sprintf("tracker %s is down: %s", k.Name, st.Cause)}
		default:
			sum += effect.Add
		}
	}
	return faults, sum
}

// trackerStatus is what is known of all trackers, in the order of the file.
func (d *Director) trackerStatus() []control.Tracker {
	status := d.tracks.Status()
	list := make([]control.Tracker, 0, len(d.conf.Tracks))
	for i := range d.conf.Tracks {
		k := &d.conf.Tracks[i]
		st := status[k.Name]
		t := control.Tracker{
			Name: k.Name, Type: string(k.Kind), State: st.State.String(), Since: st.Since,
			Reason: st.Reason, LastLook: st.LastLook, TookMS: ms(st.Took.Round(10 * time.Microsecond)),
			Looks: st.Looks, Bad: st.Bad, TimedOut: st.TimedOut,
			For: map[string]int{},
		}
		if err := d.processes.Untold(); k.Kind == conf.TrackProcess && err != nil {
			t.Note = "looked at in intervals only: " + err.Error()
		}
		if st.Numeric {
			t.Number = &st.Number
		}
		for name, in := range d.instances {
			for _, tracking := range in.track {
				if tracking.Name == k.Name {
					t.For[name] = tracking.Weight
				}
			}
		}
		list = append(list, t)
	}
	return list
}

// describeTrackers says in sentences how the trackers of two configurations
// differ.
func describeTrackers(old, new *conf.Config, say func(format string, args ...any)) {
	former := map[string]conf.Track{}
	for _, k := range old.Tracks {
		former[k.Name] = k
	}
	for _, k := range new.Tracks {
		switch o, ok := former[k.Name]; {
		case !ok:
			say("add tracker %s", k.Name)
		case !reflect.DeepEqual(o, k):
			say("change tracker %s", k.Name)
		}
		delete(former, k.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(former)) {
		say("remove tracker %s", name)
	}
}
