package web

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

// A head is what the page shows of the director as a whole. It has no value that
// changes by itself, so that it is sent only when something happened.
type head struct {
	// Page is the version of the page. A page of another version loads itself again.
	Page         string       `json:"page"`
	Director     string       `json:"director"`
	Software     string       `json:"software"`
	PID          int          `json:"pid"`
	Started      time.Time    `json:"started"`
	Config       string       `json:"config"`
	Loaded       time.Time    `json:"loaded"`
	RealtimeNote string       `json:"realtime_note,omitempty"`
	RatesNote    string       `json:"rates_note,omitempty"`
	Unwell       []string     `json:"unwell"`
	Sync         *status.Sync `json:"sync,omitempty"`
}

// A router is a row of the table of virtual routers.
type router struct {
	Name      string          `json:"name"`
	Group     string          `json:"group,omitempty"`
	State     string          `json:"state"`
	Since     time.Time       `json:"since"`
	Why       string          `json:"why,omitempty"`
	Interface string          `json:"interface"`
	Device    string          `json:"device,omitempty"`
	MAC       string          `json:"mac,omitempty"`
	Family    string          `json:"family"`
	VRID      int             `json:"vrid"`
	Protocol  int             `json:"version"`
	Priority  int             `json:"priority"`
	Effective int             `json:"effective"`
	Interval  float64         `json:"interval_ms"`
	Master    string          `json:"master,omitempty"` // address of the MASTER, unless it is here
	Addresses []string        `json:"addresses"`
	Reasons   []status.Reason `json:"reasons,omitempty"`
	Waits     []status.Wait   `json:"waits,omitempty"`
	Rival     string          `json:"rival,omitempty"`
	Silenced  string          `json:"silenced,omitempty"`
}

// A service is a row of the table of virtual services.
type service struct {
	Name       string   `json:"name"`
	Address    string   `json:"address"`
	Scheduler  string   `json:"scheduler"`
	Active     string   `json:"active"`
	Foreign    bool     `json:"foreign,omitempty"`
	Wanted     bool     `json:"wanted"`
	Present    bool     `json:"present"`
	OnFallback bool     `json:"on_fallback,omitempty"`
	Health     string   `json:"health"`
	Up         int      `json:"up"`
	Total      int      `json:"total"`
	WeightUp   int      `json:"weight_up"`
	Quorum     int      `json:"quorum"`
	Hysteresis int      `json:"hysteresis,omitempty"`
	Follow     string   `json:"follow,omitempty"`
	Persist    int      `json:"persistence_s,omitempty"`
	Flags      []string `json:"flags,omitempty"`
}

// A server is a row of the table of realservers.
type server struct {
	Service    string    `json:"service"` // key of the row of its service
	Name       string    `json:"name"`
	Address    string    `json:"address"`
	Forward    string    `json:"forward"`
	Health     string    `json:"health"`
	Weight     int       `json:"weight"` // in the kernel
	Configured int       `json:"configured"`
	Present    bool      `json:"present"`
	Fallback   bool      `json:"fallback,omitempty"`
	Drained    bool      `json:"drained,omitempty"`
	Order      string    `json:"order,omitempty"` // who changed the weight
	WeightBy   string    `json:"weight_by,omitempty"`
	FullAt     time.Time `json:"full_at,omitzero"`
}

// A check is a row of the table of checks.
type check struct {
	Server   string        `json:"server"`
	Type     string        `json:"type"`
	Address  string        `json:"address,omitempty"`
	State    checker.State `json:"state"`
	Since    time.Time     `json:"since,omitzero"`
	NotAsked string        `json:"not_asked,omitempty"`
	Failures []failure     `json:"failures,omitempty"` // the latest first
}

// maxFailures bounds the failures of a check that the page shows.
const maxFailures = 5

// A failure is a failed attempt of a check.
type failure struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// view returns the tables of the page for a status.
func view(s *status.Status) []table {
	services, servers, load := viewLVS(s.LVS)
	checks, latency := viewChecks(s.Checks)
	return []table{
		{"routers", rowsOf(s.VRRP, routerName, viewRouter)},
		{"groups", rowsOf(s.Groups, func(g *status.Group) string { return g.Name }, same[status.Group])},
		services, servers, load,
		checks, latency,
		{"alerts", rowsOf(s.Alerts, func(a *status.Alert) string { return a.Rule + " " + a.Subject }, same[status.Alert])},
		{"resources", rowsOf(s.Resources, func(r *status.Resource) string { return r.Group + "/" + r.Name }, viewResource)},
		{"trackers", rowsOf(s.Trackers, func(t *status.Tracker) string { return t.Name }, viewTracker)},
	}
}

func same[T any](v *T) any { return v }

func routerName(i *status.Instance) string { return i.Name }

func viewHead(s *status.Status, page string) head {
	h := head{
		Page: page, Director: s.Director, Software: s.Software, PID: s.PID, Started: s.Started, Config: s.Config.Path,
		Loaded: s.Config.LoadedAt, Unwell: s.Unwell(),
	}
	if !s.Realtime {
		h.RealtimeNote = s.RealtimeNote
	}
	if s.LVS != nil {
		h.Sync, h.RatesNote = s.LVS.Sync, s.LVS.RatesNote
	}
	if h.Unwell == nil {
		h.Unwell = []string{}
	}
	return h
}

func viewRouter(i *status.Instance) any {
	r := router{
		Name: i.Name, Group: i.Group, State: i.State, Since: i.Since, Why: i.Why, Interface: i.Interface, Device: i.Device,
		MAC: i.MAC, Family: i.Family, VRID: i.VRID, Protocol: i.Protocol, Priority: i.Priority, Effective: i.EffectivePriority,
		Interval: i.IntervalMS, Addresses: i.Addresses, Reasons: i.Reasons, Waits: i.Waits,
	}
	if r.Addresses == nil {
		r.Addresses = []string{}
	}
	if i.Master != nil {
		r.Master = i.Master.Address
	}
	if i.Rival != nil {
		r.Rival = i.Rival.Address
	}
	if i.Silenced != nil {
		r.Silenced = i.Silenced.Text
	}
	return r
}

// viewResource is without what changes at every look.
func viewResource(r *status.Resource) any {
	return struct {
		Name    string    `json:"name"`
		Group   string    `json:"group"`
		Type    string    `json:"type"`
		State   string    `json:"state"`
		Since   time.Time `json:"since"`
		Problem string    `json:"problem,omitempty"`
	}{r.Name, r.Group, r.Type, r.State, r.Since, r.Problem}
}

// viewTracker is without what changes at every look.
func viewTracker(t *status.Tracker) any {
	return struct {
		Name   string    `json:"name"`
		Type   string    `json:"type"`
		State  string    `json:"state"`
		Since  time.Time `json:"since,omitzero"`
		Reason string    `json:"reason,omitempty"`
	}{t.Name, t.Type, t.State, t.Since, cmp.Or(t.Reason, t.Note)}
}

// viewLVS returns the services, their servers, and the numbers of both, which change
// most often and are therefore apart.
func viewLVS(l *status.LVS) (services, servers, load table) {
	services.name, servers.name, load.name = "services", "servers", "load"
	if l == nil {
		return services, servers, load
	}
	names := make(unique)
	for i := range l.Services {
		v := &l.Services[i]
		key := names.key(cmp.Or(v.Name, v.Service))
		services.add(key, service{
			Name: v.Name, Address: v.Service, Scheduler: v.Scheduler, Active: v.Active, Foreign: v.Foreign, Wanted: v.Wanted, Present: v.Present,
			OnFallback: v.OnFallback, Health: v.Health, Up: v.ServersUp, Total: v.ServersTotal, WeightUp: v.WeightUp,
			Quorum: v.Quorum, Hysteresis: v.Hysteresis, Follow: v.Follow, Persist: v.PersistSecs, Flags: v.Flags,
		})
		var active, inactive uint64
		for j := range v.Servers {
			r := &v.Servers[j]
			active += uint64(r.Active)
			inactive += uint64(r.Inactive)
			id := names.key(key + "/" + r.Name)
			servers.add(id, viewServer(key, r))
			if r.Present {
				load.add(id, numbers(uint64(r.Active), uint64(r.Inactive), &r.Counters))
			}
		}
		if v.Present {
			load.add(key, numbers(active, inactive, &v.Counters))
		}
	}
	return services, servers, load
}

func viewServer(service string, r *lvs.ServerStatus) server {
	s := server{
		Service: service, Name: r.Name, Address: r.Address, Forward: r.Forward, Health: r.Health, Weight: r.Weight,
		Configured: r.Configured, Present: r.Present, Fallback: r.Fallback, Drained: r.Drained, Order: status.OrderText(r), FullAt: r.FullAt,
	}
	if r.WeightFrom == lvs.FromCheck {
		s.WeightBy = r.WeightBy
	}
	return s
}

// numbers are active and inactive connections, connections so far, and if the kernel
// measures them the connections, packets, bytes in and bytes out per second.
func numbers(active, inactive uint64, c *lvs.Counters) []uint64 {
	n := []uint64{active, inactive, c.Connections}
	if r := c.Rates; r != nil {
		n = append(n, r.ConnectionRate, r.PacketInRate+r.PacketOutRate, r.ByteInRate, r.ByteOutRate)
	}
	return n
}

// viewChecks returns the checks, and apart from them what changes at every attempt.
func viewChecks(all []checker.Status) (checks, latency table) {
	checks.name, latency.name = "checks", "latency"
	for i := range all {
		c := &all[i]
		k := check{Server: c.Server, Type: c.Kind, State: c.State, Since: c.Since, NotAsked: c.NotAsked}
		if c.Address.IsValid() {
			k.Address = c.Address.String()
		}
		for _, f := range c.Failures[:min(maxFailures, len(c.Failures))] {
			k.Failures = append(k.Failures, failure{f.At, f.Reason})
		}
		checks.add(c.ID, k)
		latency.add(c.ID, viewLatency(c))
	}
	return checks, latency
}

// shownResults is how many of the latest results of a check the page shows.
const shownResults = 30

// viewLatency is the latest results, attempts, failures, how long the last attempt
// took, and the 50th, 90th and 99th percentile, in milliseconds.
func viewLatency(c *checker.Status) []any {
	recent := c.Recent[max(0, len(c.Recent)-shownResults):]
	v := []any{recent, c.Counts.Attempts, c.Counts.Failures, nil, nil, nil, nil}
	if c.Last != nil {
		v[3] = milliseconds(c.Last.Took)
	}
	if l := c.Latency; l != nil {
		v[4], v[5], v[6] = milliseconds(l.P50), milliseconds(l.P90), milliseconds(l.P99)
	}
	return v
}

// milliseconds are rounded to 10 µs: more digits are of no use to people.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// unique gives each row a key of its own, whatever the names are.
type unique map[string]bool

func (u unique) key(name string) string {
	for u[name] {
		name += "'"
	}
	u[name] = true
	return name
}

func rowsOf[T any](items []T, key func(*T) string, value func(*T) any) []row {
	t, keys := table{}, make(unique)
	for i := range items {
		t.add(keys.key(key(&items[i])), value(&items[i]))
	}
	return t.rows
}

// encode returns v as JSON. The values of this package can always be encoded, except
// for numbers that JSON does not have; those become null.
func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return slices.Clip(text)
}
