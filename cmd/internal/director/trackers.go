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
	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/cmd/internal/track"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/netdev"
	"holdfast/netdev/policy"
	"holdfast/netdev/port"
)

// A trackers is the subsystem of what virtual routers track. Most trackers look
// themselves; those of virtual services and BFD sessions get their readings from
// these.
type trackers struct {
	base
	dir     string // where states are kept for a start after a crash
	crashed bool   // the former run ended without a stop
	routers trackingRouters
	// problems replaces the problems of saving the states.
	problems func([]status.Problem)
	// reportOthers has the services and sessions report what they are now.
	reportOthers func()

	set       *track.Set
	processes *track.Processes
	files     *track.Watch
	conf      []conf.Track
	known     map[string]track.Memory // states of the former binary, until the first apply
	keeping   bool                    // a save waits in the loop's mailbox
	unsaved   bool                    // the states could not be saved
}

// trackingRouters are the virtual routers as trackers see them.
type trackingRouters interface {
	// trackerChanged has the instances that track a tracker look at its state.
	trackerChanged(tracker string)
	// trackedBy returns the instances that track a tracker, with the weight it has
	// for each; 0 means that it faults the instance.
	trackedBy(tracker string) map[string]int
}

// open starts the goroutine in which trackers look, and the watch that has
// trackers of files look when their files change.
func (t *trackers) open() error {
	t.set = track.NewSet(t.log, func(c track.Change) { t.post(func() { t.changed(c) }) })
	t.processes = track.NewProcesses(t.log, t.set.Nudge)
	t.files = track.NewWatch(func(path string) { t.post(func() { t.fileChanged(path) }) })
	return nil
}

// restore takes over what the former binary knew, or, after a crash, what the
// former run had written.
func (t *trackers) restore(u *upgradeState) {
	t.known = u.Trackers
	if t.known != nil || !t.crashed {
		return
	}
	known, err := readKnownTrackers(t.dir)
	if err != nil {
		t.log.Warn("the trackers are not known", "err", err)
	}
	if known.At <= sinceBoot() { // of this boot
		t.known = known.Trackers
	}
}

// apply takes over the trackers of a configuration. Those that are as before keep
// their state.
func (t *trackers) apply(c *conf.Config) {
	configs := make([]track.Config, len(c.Tracks))
	var files []string
	processes := map[string]track.Process{}
	for i := range c.Tracks {
		k := &c.Tracks[i]
		configs[i] = track.Config{
			Name: k.Name, Spec: lookedAt(*k, &c.Director), Look: t.looker(k, &c.Director),
			Interval: k.Interval, Timeout: k.Timeout, Rise: k.Rise, Fall: k.Fall, TimeoutFall: k.TimeoutFall,
			Reverse: k.Reverse, Numeric: k.Kind == conf.TrackFile,
		}
		if known, ok := t.known[k.Name]; ok {
			configs[i].Known = &known
		}
		switch k.Kind {
		case conf.TrackFile:
			files = append(files, k.File)
		case conf.TrackProcess:
			processes[k.Name] = process(k)
		}
	}
	t.conf, t.known = c.Tracks, nil
	t.processes.Set(processes)
	t.files.Set(files)
	t.set.Apply(configs)
	t.reportOthers()
}

func (t *trackers) save(u *upgradeState) { u.Trackers = t.set.Remember() }

func (t *trackers) withdraw() { t.close() }

// stop removes the states that were kept for a start after a crash.
func (t *trackers) stop() error { return forgetTrackers(t.dir) }

func (t *trackers) close() {
	t.unsaved, t.keeping = false, false // nothing is saved any more
	if t.set == nil {
		return
	}
	t.set.Close()
	t.processes.Close()
	t.files.Close()
}

// lookedAt is the part of a tracker that its state depends on.
func lookedAt(k conf.Track, c *conf.Director) any {
	k.Weight, k.StartsUp = 0, false
	return [...]any{k, runAs(&k.Command, c), c.Name}
}

// looker returns how a tracker looks; nil if it gets its readings from another
// subsystem.
func (t *trackers) looker(k *conf.Track, c *conf.Director) func(context.Context) track.Reading {
	switch k.Kind {
	case conf.TrackInterface:
		return reading(func(context.Context) error { return netdev.LinkUp(k.Interface) })
	case conf.TrackScript:
		return track.Script(runAs(&k.Command, c), track.Environ(c.Name, k.Name))
	case conf.TrackFile:
		return t.files.Look(k.File, k.Missing)
	case conf.TrackProcess:
		return t.processes.Look(k.Name, process(k))
	case conf.TrackNeighbour:
		return reading(func(ctx context.Context) error { return port.Neighbour(ctx, k.Interface, k.Address) })
	case conf.TrackPing:
		return pingLook(k)
	case conf.TrackRoute:
		return reading(func(context.Context) error { return policy.Usable(k.Route, k.Table, k.Interface) })
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
func (t *trackers) fileChanged(path string) {
	t.nudge(func(k *conf.Track) bool { return k.Kind == conf.TrackFile && k.File == path })
}

// nudge has the trackers look of which concerns says that there may be news.
func (t *trackers) nudge(concerns func(*conf.Track) bool) {
	for i := range t.conf {
		if k := &t.conf[i]; concerns(k) {
			t.set.Nudge(k.Name)
		}
	}
}

// linkChanged has the trackers look that a link event may concern.
func (t *trackers) linkChanged(e *netdev.Event) {
	if e.Kind == netdev.AddressChanged {
		return
	}
	t.nudge(func(k *conf.Track) bool {
		concerns := k.Interface != "" && (k.Interface == e.Name || k.Interface == e.Was)
		// A route may go with any interface, and the kernel reports no IPv4 routes that do.
		return concerns || e.Kind == netdev.Resync || k.Kind == conf.TrackRoute
	})
}

// routeChanged has the trackers of a route look; those of every route if events
// were lost.
func (t *trackers) routeChanged(e *policy.Event) {
	t.nudge(func(k *conf.Track) bool { return k.Kind == conf.TrackRoute && (e.Lost || k.Route == e.Prefix) })
}

// serviceChanged gives the trackers of a virtual service a reading.
func (t *trackers) serviceChanged(s *conf.Service, view serverView) {
	for i := range t.conf {
		k := &t.conf[i]
		if k.Kind != conf.TrackService || k.Service != s.Name {
			continue
		}
		if r, known := serviceReading(k, s, view); known {
			t.set.Report(k.Name, r)
		}
	}
}

// sessionChanged gives the trackers of a BFD session a reading.
func (t *trackers) sessionChanged(session string, v bfd.Verdict, reason string) {
	if v == bfd.VerdictUnknown {
		return
	}
	r := track.Reading{Up: v == bfd.VerdictUp}
	if !r.Up {
		r.Reason = reason
	}
	for i := range t.conf {
		if k := &t.conf[i]; k.Kind == conf.TrackBFD && k.BFD == session {
			t.set.Report(k.Name, r)
		}
	}
}

// serviceReading says whether enough servers of a service are up: for a tracker without
// a quorum, whether the service is. Nothing is known as long as servers that were not
// checked yet could decide it.
func serviceReading(k *conf.Track, s *conf.Service, view serverView) (r track.Reading, known bool) {
	up, weight, maybe, maybeWeight, unsent := 0, 0, 0, 0, 0
	for _, server := range s.Servers {
		ref := lvs.Ref{Service: s.Name, Server: server.Name}
		if _, is := view.unsent[ref]; is {
			unsent++
		}
		switch view.health(ref) {
		case lvs.Up:
			up++
			weight += server.Server.Weight
		case lvs.Unknown:
			maybe++
			maybeWeight += server.Server.Weight
		}
	}
	enough, possible := up >= k.Quorum, up+maybe >= k.Quorum
	if k.Quorum == 0 {
		service := view.service(s.Name)
		enough, possible = service == lvs.Up, service != lvs.Down
	}
	switch {
	case k.Unsent > 0 && unsent >= k.Unsent:
		r.Reason = fmt.Sprintf("checks of %d of %d servers of %s cannot be sent from here", unsent, len(s.Servers), s.Name)
		return r, true
	case enough && weight >= k.QuorumSum:
		return track.Reading{Up: true}, true
	case possible && weight+maybeWeight >= k.QuorumSum:
		return track.Reading{}, false
	}
	r.Reason = fmt.Sprintf("%d of %d servers of %s are up, %d are needed", up, len(s.Servers), s.Name, k.Quorum)
	if k.Quorum == 0 {
		r.Reason = fmt.Sprintf("service %s is %v: %d of %d servers are up", s.Name, view.service(s.Name), up, len(s.Servers))
	}
	if weight < k.QuorumSum {
		r.Reason += fmt.Sprintf("; their weights sum up to %d, %d is needed", weight, k.QuorumSum)
	}
	return r, true
}

// changed publishes the change of a tracker, and has the instances that track it
// take it into account.
func (t *trackers) changed(c track.Change) {
	e := event.Event{
		At: c.At, Kind: event.KindTracker, Subject: c.Name,
		From: c.From.String(), To: c.Standing.State.String(), Reason: c.Reason,
	}
	if c.Standing.Numeric {
		e.Detail = map[string]string{"number": strconv.Itoa(c.Standing.Number)}
	}
	t.log.Info("tracker", "name", c.Name, "from", e.From, "to", e.To, "reason", c.Reason)
	t.publish(e)
	t.keepSoon()
	t.routers.trackerChanged(c.Name)
}

// keepSoon saves the states after the changes that are waiting in the loop's mailbox.
// Thousands of trackers change at once when the daemon starts, and each save has all of
// them.
func (t *trackers) keepSoon() {
	if t.keeping {
		return
	}
	t.keeping = true
	t.post(func() {
		if t.keeping {
			t.keeping = false
			t.keep()
		}
	})
}

// keepAgain is the time after which states that could not be saved are saved again.
const keepAgain = 10 * time.Second

// keep saves the states for a start after a crash.
func (t *trackers) keep() {
	var failed []status.Problem
	err := keepTrackers(t.dir, t.set.Remember())
	t.unsaved = err != nil
	if err != nil {
		time.AfterFunc(keepAgain, func() {
			t.post(func() {
				if t.unsaved {
					t.keep()
				}
			})
		})
		failed = []status.Problem{{Kind: "journal", Name: "trackers", Text: fmt.Sprintf("a start after a crash will not know the trackers: %v", err)}}
	}
	t.problems(failed)
}

// startsUp reports whether a tracker counts as up until it has looked.
func (t *trackers) startsUp(tracker string) bool {
	i := slices.IndexFunc(t.conf, func(k conf.Track) bool { return k.Name == tracker })
	return i >= 0 && t.conf[i].StartsUp
}

// report lists all trackers in the order of the file.
func (t *trackers) report(s *status.Status) {
	standings := t.set.Status()
	s.Trackers = make([]status.Tracker, 0, len(t.conf))
	for i := range t.conf {
		k := &t.conf[i]
		st := standings[k.Name]
		shown := status.Tracker{
			Name: k.Name, Type: string(k.Kind), State: st.State.String(), Since: st.Since,
			Reason: st.Reason, LastLook: st.LastLook, TookMS: ms(st.Took.Round(10 * time.Microsecond)),
			Looks: st.Looks, Bad: st.Bad, TimedOut: st.TimedOut,
			For: t.routers.trackedBy(k.Name),
		}
		if err := t.slow(k); err != nil {
			shown.Note = "checked at intervals only: " + err.Error()
		}
		if st.Numeric {
			shown.Number = &st.Number
		}
		s.Trackers = append(s.Trackers, shown)
	}
}

// slow returns why a tracker that could react to events checks at intervals only.
func (t *trackers) slow(k *conf.Track) error {
	switch k.Kind {
	case conf.TrackFile:
		return t.files.Err(k.File)
	case conf.TrackProcess:
		return t.processes.Err()
	}
	return nil
}

// describeTrackers says in sentences how the trackers of two configurations
// differ.
func describeTrackers(old, new *conf.Config, add func(format string, args ...any)) {
	former := map[string]conf.Track{}
	for _, k := range old.Tracks {
		former[k.Name] = k
	}
	for _, k := range new.Tracks {
		switch o, ok := former[k.Name]; {
		case !ok:
			add("add tracker %s", k.Name)
		case !reflect.DeepEqual(o, k):
			add("change tracker %s", k.Name)
		}
		delete(former, k.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(former)) {
		add("remove tracker %s", name)
	}
}
