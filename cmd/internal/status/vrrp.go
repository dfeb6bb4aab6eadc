package status

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An ExtraInterface is an additional interface on which a virtual router has addresses.
type ExtraInterface struct {
	Interface string   `json:"interface"`
	Device    string   `json:"device,omitempty"` // the macvlan; "" if the addresses are on the interface
	Addresses []string `json:"addresses"`
}

// An Instance is the state of a virtual router.
type Instance struct {
	Name      string `json:"name"`
	Group     string `json:"group,omitempty"`
	Interface string `json:"interface"`
	// IfIndex is the index of the interface. While the interface does not exist,
	// IfIndex keeps the last index.
	IfIndex int    `json:"ifindex,omitempty"`
	Device  string `json:"device,omitempty"` // the macvlan; "" if the addresses are on the interface
	MAC     string `json:"mac,omitempty"`    // MAC address that the addresses use
	// ExtraInterfaces are the interfaces other than Interface that have addresses.
	ExtraInterfaces []ExtraInterface `json:"elsewhere,omitempty"`
	Family          string           `json:"family"` // ipv4 or ipv6
	VRID            int              `json:"vrid"`
	Protocol        int              `json:"vrrp_version"`        // 2 or 3
	Multicast       string           `json:"multicast,omitempty"` // destination group of the adverts; "" with unicast
	State           string           `json:"state"`               // INIT, BACKUP, MASTER or FAULT
	Since           time.Time        `json:"since"`
	Why             string           `json:"why,omitempty"` // reason of the last transition
	// UpSince is when the instance left INIT or FAULT. It is absent in these states.
	UpSince time.Time `json:"up_since,omitzero"`
	// Takeover is why the instance last became MASTER: priority (the instance owns
	// the addresses, or the MASTER gave up), preempted or no_response. It is "" if
	// the instance was never MASTER.
	Takeover string `json:"takeover,omitempty"`
	// Holding is true while the addresses are on the device. Holding and State
	// disagree for a moment around a transition.
	Holding           bool     `json:"holding"`
	Priority          int      `json:"priority"` // configured priority
	EffectivePriority int      `json:"effective_priority"`
	IntervalMS        float64  `json:"interval_ms"` // advert interval in milliseconds
	Preempt           bool     `json:"preempt"`
	Addresses         []string `json:"addresses"` // with prefix length
	// Excluded lists the members of Addresses that the adverts omit.
	Excluded []string `json:"excluded,omitempty"`
	// Refused is true if packets to the addresses are not accepted (accept =
	// false). Egress is true if packets from the addresses leave through the device.
	Refused bool `json:"refused,omitempty"`
	Egress  bool `json:"egress,omitempty"`
	// Peers are the routers whose adverts the instance accepts; nil: all routers.
	// Unicast is true if the instance sends its adverts to each peer.
	Peers   []string `json:"peers,omitempty"`
	Unicast bool     `json:"unicast,omitempty"`
	// Auth is how adverts are authenticated: password, ah or hmac; "": they are not.
	Auth string `json:"auth,omitempty"`
	// Source is the source address of the adverts; "" if there is none.
	Source string `json:"source,omitempty"`
	// Paths are the interfaces by which the adverts go, Interface first. It is empty if
	// that is the only one.
	Paths []Path `json:"paths,omitempty"`
	// Master is the MASTER that sent the last advert. It is nil while this instance
	// is MASTER and until an advert is received.
	Master *Peer `json:"master,omitempty"`
	// Rival is another router that advertises as MASTER while this instance is MASTER.
	Rival *Peer `json:"rival,omitempty"`
	// RefusedSpeakers lists at most 16 other routers whose adverts for this virtual
	// router are refused, in no particular order. RefusedForgotten is how many more
	// such routers there were.
	RefusedSpeakers  []RefusedSpeaker `json:"refused_speakers,omitempty"`
	RefusedForgotten uint64           `json:"refused_forgotten,omitempty"`
	// CededTo is another owner of the addresses. Because of this router, the
	// instance lowered its priority from 255 to 254.
	CededTo *Peer `json:"ceded_to,omitempty"`
	// Silenced is why a MASTER cannot send its adverts on its interface. It is absent
	// if the MASTER can send them.
	Silenced *Reason `json:"silenced,omitempty"`
	// Fast says how fast a dead MASTER is replaced; absent without fast = true.
	Fast *Fast `json:"fast,omitempty"`
	// Waits lists the delays that temporarily keep the instance from being MASTER.
	Waits []Wait `json:"waits,omitempty"`
	// Routes and Rules move with the addresses.
	Routes   []Policy `json:"routes,omitempty"`
	Rules    []Policy `json:"rules,omitempty"`
	Reasons  []Reason `json:"reasons"` // why the state is FAULT, or what an instance in INIT waits for; empty in other states
	Counters Counters `json:"counters"`
}

// A Peer is another router that advertises as MASTER.
type Peer struct {
	Address string `json:"address"`
	// MAC is the source MAC address of a rival's adverts. It is "" until an advert
	// shows it, and for peers that are not rivals.
	MAC        string    `json:"mac,omitempty"`
	Priority   int       `json:"priority"`
	IntervalMS float64   `json:"interval_ms"`
	LastHeard  time.Time `json:"last_heard"`
}

// A RefusedSpeaker is another router that uses our VRID and whose adverts are
// refused. The cause is often a configuration mistake.
type RefusedSpeaker struct {
	Address    string    `json:"address"`
	Reason     string    `json:"reason"`      // why the last advert was refused, as in counters.dropped
	Problem    string    `json:"problem"`     // the reason as text for people
	Priority   int       `json:"priority"`    // in the last advert
	IntervalMS float64   `json:"interval_ms"` // in the last advert; 0: the advert could not be decoded
	Since      time.Time `json:"since"`       // when the first advert arrived
	LastHeard  time.Time `json:"last_heard"`
	Count      uint64    `json:"count"` // refused adverts
	// Advertises is true if the router advertises as MASTER: three adverts arrived
	// in a row, the last one less than three intervals ago.
	Advertises bool `json:"advertises"`
}

// A Wait is a delay that has not ended yet.
type Wait struct {
	Key string `json:"key"` // start_delay, link_delay, min_hold or preempt_wait
	// Until is when it ends; absent with preempt_wait, of which Text says what it waits
	// for.
	Until time.Time `json:"until,omitzero"`
	Text  string    `json:"text,omitempty"`
}

// A Reason is one thing that keeps an instance in FAULT or INIT.
type Reason struct {
	Key   string    `json:"key"` // identifier, such as "link"
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

// A Group is a sync group.
type Group struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`
	Members []string  `json:"members"`
	Since   time.Time `json:"since"`
}

func (s *Status) vrrp(b *page) {
	b.WriteString("\nVRRP\n")
	if len(s.VRRP) == 0 {
		b.WriteString("  none\n")
		return
	}
	var t table
	t.header("NAME", "STATE", ">FOR", ">PRIORITY~6", ">INTERVAL~1", "INTERFACE~3", "DEVICE~2", ">VRID~4", "MASTER~5", "ADDRESSES")
	for i := range s.VRRP {
		v := &s.VRRP[i]
		t.row(v.Name, v.State, s.ago(v.Since), v.priority(), milliseconds(v.IntervalMS), v.Interface,
			cmp.Or(v.Device, "-"), strconv.Itoa(v.VRID), v.master(), cmp.Or(someOf(v.Addresses), "-"))
		t.unwell(v.State == "FAULT" || v.waits() || v.Silenced != nil || v.CededTo != nil || v.Rival != nil)
		s.instanceNotes(&t, v)
	}
	t.write(b)
}

// maxShown is how many addresses a line of text has at most; JSON has all.
const maxShown = 6

// someOf returns the addresses that a line has room for, and how many there are beside.
func someOf(addresses []string) string {
	n := len(addresses)
	if n <= maxShown {
		return strings.Join(addresses, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(addresses[:maxShown-1], " "), n-maxShown+1)
}

// instanceNotes writes what is special about an instance.
func (s *Status) instanceNotes(t *table, v *Instance) {
	for _, r := range v.Reasons {
		t.note(fmt.Sprintf("%s, for %s: %s", r.Key, s.ago(r.Since), r.Text))
	}
	for _, p := range v.ExtraInterfaces {
		t.note(fmt.Sprintf("%s on %s", someOf(p.Addresses), cmp.Or(p.Device, p.Interface)))
	}
	if n := v.Counters.AddressMismatch; n > 0 {
		t.note(fmt.Sprintf("%s adverts had another list of addresses than this configuration", count(n)))
	}
	if v.Refused {
		t.note("packets for its addresses are not accepted")
	}
	if v.Unicast {
		t.note("unicast to " + strings.Join(v.Peers, " "))
	}
	s.pathNotes(t, v)
	for _, w := range v.Waits {
		if w.Text != "" {
			t.note("preemption held back: " + w.Text)
			continue
		}
		t.note(fmt.Sprintf("waits another %s for %s", w.Until.Sub(s.Now).Round(time.Second), w.Key))
	}
	if v.Fast != nil {
		t.note(v.Fast.text(v.State, s.Now))
	}
	s.rivalNotes(t, v)
}

// rivalNotes writes which other routers advertise with the same VRID.
func (s *Status) rivalNotes(t *table, v *Instance) {
	if c := v.CededTo; c != nil {
		t.note(fmt.Sprintf("priority 255 ceded to %s, which has it too", c.Address))
	}
	if r := v.Rival; r != nil {
		from := r.Address
		if r.MAC != "" {
			from += " at " + r.MAC
		}
		t.note(fmt.Sprintf("rival %s with priority %d, heard %s ago", from, r.Priority, s.ago(r.LastHeard)))
	}
	for _, r := range v.RefusedSpeakers {
		if r.Advertises || s.Now.Sub(r.LastHeard) < refusedShown {
			t.note(fmt.Sprintf("%s with priority %d: %d of its adverts were refused since %s ago: %s", r.Address, r.Priority, r.Count, s.ago(r.Since), r.Problem))
		}
	}
}

// groups writes the sync groups, whose members are above.
func (s *Status) groups(b *page) {
	if len(s.Groups) == 0 {
		return
	}
	b.WriteString("\nGROUPS\n")
	var t table
	t.header("NAME", "STATE", ">FOR", "MEMBERS")
	for _, g := range s.Groups {
		t.row(g.Name, g.State, s.ago(g.Since), strings.Join(g.Members, " "))
	}
	t.write(b)
}

// refusedShown is how long the text shows a router after its last refused advert.
const refusedShown = 10 * time.Minute

// priority returns the effective priority, and the configured one if it differs.
func (i *Instance) priority() string {
	if i.EffectivePriority == i.Priority {
		return strconv.Itoa(i.Priority)
	}
	return fmt.Sprintf("%d of %d", i.EffectivePriority, i.Priority)
}

func (i *Instance) master() string {
	switch {
	case i.State == "MASTER":
		return "here"
	case i.Master != nil:
		return i.Master.Address
	}
	return "-"
}

// waits reports whether an instance has not begun because it does not know its trackers.
func (i *Instance) waits() bool { return i.State == "INIT" && len(i.Reasons) > 0 }

// unwell says what is wrong with an instance of the status s.
func (i *Instance) unwell(s *Status, say sayer) {
	switch {
	case i.State == "FAULT":
		say("vrrp %s is in FAULT", i.Name)
	case i.waits():
		say("vrrp %s has not begun: %s", i.Name, i.Reasons[0].Text)
	}
	if i.Silenced != nil {
		say("vrrp %s: its adverts have not been sent for %s: %s", i.Name, s.ago(i.Silenced.Since), i.Silenced.Text)
	}
	if i.CededTo != nil {
		say("vrrp %s: %s is configured with priority 255 too", i.Name, i.CededTo.Address)
	}
	if i.Rival != nil {
		say("vrrp %s: %s advertises as MASTER too", i.Name, i.Rival.Address)
	}
	for _, r := range i.RefusedSpeakers {
		if i.State == "MASTER" && r.Advertises {
			say("vrrp %s: %s advertises as MASTER too, but its adverts are refused: %s", i.Name, r.Address, r.Problem)
		}
	}
	for _, p := range slices.Concat(i.Routes, i.Rules) {
		if i.missing(&p) {
			say("vrrp %s: %s is missing: %s", i.Name, p.Text, p.Why)
		}
	}
}
