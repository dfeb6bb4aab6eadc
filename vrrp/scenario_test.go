package vrrp

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the scenarios print into their files; read the diff before you keep it")

// TestScenarios plays the files of testdata/scenario. A file is a row of
// blocks: commands, a line "----", what happens, an empty line. What happens
// is printed as Action.String has it, with the time since the beginning.
//
//	router NAME[/WIRE] KEY=VALUE...  a virtual router; of one name on several
//	                                 wires they are a sync group
//	regroup NAME WIRE[,WIRE]...      a reload: other groups than one of all; new
//	                                 routers join, the ones in none leave
//	start|stop|kill NAME...          the daemon; kill takes the power away
//	handover NAME...                 mastership is given away on request
//	crash|restart|upgrade NAME...    the daemon; its kernel stays as it is
//	pause|resume NAME...             the daemon as by SIGSTOP and SIGCONT
//	cut|heal PORT...                 the switch port, which no daemon notices
//	block|unblock PORT...            a firewall, which drops packets of BFD alone
//	unplug|plug PORT...              the link, which the daemon sees
//	fault PORT KEY PROBLEM...        a fault, and its end
//	pend PORT KEY PROBLEM...         nobody knows yet whether there is a fault
//	recover PORT KEY
//	hold PORT REASON...              lower priorities are not preempted, and its end
//	unhold PORT
//	weigh PORT SUM                   the sum of the trackers' weights
//	set PORT KEY=VALUE...            another configuration
//	claims PORT fail|work|parts      whether claims fail, work, or report their progress
//	sessions INTERVAL                there are BFD sessions, with packets so often
//	run DURATION
//	status
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenario/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	got, err := play(want)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if got == want {
		return
	}
	if !*update {
		t.Errorf("%s (-want +got; -update keeps it):\n%s", file, cmp.Diff(want, got))
		return
	}
	if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
		t.Fatal(err)
	}
}

// play returns the text of a scenario with what happens now.
func play(text string) (string, error) {
	s := newStage()
	var out strings.Builder
	inOutput := false
	for n, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case inOutput:
			if line == "" {
				inOutput = false
				out.WriteString("\n")
			}
		case line == "----":
			inOutput = true
			out.WriteString("----\n" + s.told())
		default:
			out.WriteString(line + "\n")
			if err := s.command(line); err != nil {
				return "", fmt.Errorf("line %d: %w", n+1, err)
			}
		}
	}
	return out.String(), nil
}

// A stage is a world that takes commands as lines and prints what happens.
type stage struct {
	*world
	specs map[string][]string // wires by node name, until it starts
	lines []told
	err   error
}

// told is one line, which may stand for several equal ones that one router
// says without saying something else between.
type told struct {
	who, what   string
	first, last time.Duration
	times       int
}

func newStage() *stage {
	s := &stage{world: newWorld(1), specs: map[string][]string{}}
	s.violate = func(format string, args ...any) {
		s.err = errors.Join(s.err, fmt.Errorf("at %v: "+format, append([]any{s.now}, args...)...))
	}
	s.log = func(n *node, member int, text string) {
		who := n.portName(member)
		if member == WholeGroup {
			who = "group " + n.name
		}
		s.tell(who, text)
	}
	return s
}

func (s *stage) tell(who, what string) {
	for i := len(s.lines) - 1; i >= 0; i-- {
		l := &s.lines[i]
		if l.who != who {
			continue
		}
		if l.what == what {
			l.last = s.now
			l.times++
			return
		}
		break
	}
	s.lines = append(s.lines, told{who, what, s.now, s.now, 1})
}

// told returns the lines since the last call.
func (s *stage) told() string {
	var out strings.Builder
	for _, l := range s.lines {
		fmt.Fprintf(&out, "%12v %s: %s", l.first, l.who, l.what)
		if l.times > 1 {
			fmt.Fprintf(&out, ", %d times until %v", l.times, l.last)
		}
		out.WriteString("\n")
	}
	s.lines = nil
	return out.String()
}

func (s *stage) command(line string) error {
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	if err := s.do(words[0], words[1:]); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return s.err
}

func (s *stage) do(verb string, args []string) error {
	nodeVerbs := map[string]func(*node){
		"start":    (*node).start,
		"stop":     func(n *node) { n.stepAll(Stop{}) },
		"kill":     (*node).kill,
		"handover": func(n *node) { n.stepAll(Yield{}) },
		"crash":    (*node).crash,
		"restart":  (*node).restart,
		"upgrade":  (*node).upgrade,
		"pause":    (*node).pause,
		"resume":   (*node).resume,
	}
	if do := nodeVerbs[verb]; do != nil {
		for _, name := range args {
			n, _, err := s.find(name)
			if err != nil {
				return err
			}
			do(n)
		}
		return nil
	}
	switch verb {
	case "router":
		return s.router(args)
	case "run":
		if len(args) != 1 {
			return errors.New("want a duration")
		}
		d, err := time.ParseDuration(args[0])
		s.run(d)
		return err
	case "sessions":
		if len(args) != 1 {
			return errors.New("want an interval")
		}
		d, err := time.ParseDuration(args[0])
		s.bfd = d
		return err
	case "status":
		s.status()
		return nil
	case "regroup":
		return s.regroup(args)
	case "cut", "heal", "plug", "unplug", "unhold", "block", "unblock":
		for _, name := range args {
			if err := s.portVerb(verb, name); err != nil {
				return err
			}
		}
		return nil
	}
	if len(args) < 2 {
		return errors.New("want a port and something more")
	}
	n, i, err := s.find(args[0])
	if err != nil {
		return err
	}
	return s.change(verb, n, i, args[1:])
}

func (s *stage) regroup(args []string) error {
	if len(args) == 0 {
		return errors.New("want a name")
	}
	var groups [][]int
	for _, wires := range args[1:] {
		var g []int
		for _, wire := range strings.Split(wires, ",") {
			_, i, err := s.find(args[0] + "/" + wire)
			if err != nil {
				return err
			}
			g = append(g, i)
		}
		groups = append(groups, g)
	}
	n, _, err := s.find(args[0])
	if err == nil {
		n.regroup(groups...)
	}
	return err
}

func (s *stage) portVerb(verb, name string) error {
	n, i, err := s.find(name)
	if err != nil {
		return err
	}
	p := &n.ports[i]
	switch verb {
	case "cut":
		p.cut = true
	case "heal":
		p.cut = false
	case "block":
		p.bfdCut = true
	case "unblock":
		p.bfdCut = false
	case "unplug":
		p.cut = true
		n.step(i, Faulted{Key: "link", Problem: "no carrier", WireLost: true})
	case "plug":
		p.cut = false
		n.step(i, Recovered{Key: "link"})
	case "unhold":
		n.step(i, HoldPreempt{})
	}
	return nil
}

func (s *stage) change(verb string, n *node, i int, args []string) error {
	switch verb {
	case "fault", "pend":
		f := Faulted{Key: args[0], Problem: strings.Join(args[1:], " "), Pending: verb == "pend"}
		if !n.on {
			n.ports[i].early = append(n.ports[i].early, f)
			return nil
		}
		n.step(i, f)
	case "recover":
		n.step(i, Recovered{Key: args[0]})
	case "claims":
		n.ports[i].claimFails = strings.Contains(args[0], "fail")
		n.ports[i].claimsParts = strings.Contains(args[0], "parts")
	case "lose":
		n.step(i, ClaimLost{Problem: strings.Join(args, " ")})
	case "hold":
		n.step(i, HoldPreempt{strings.Join(args, " ")})
	case "weigh":
		sum, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		n.step(i, TrackerWeight{sum})
	case "set":
		cfg := *n.machine(i).Config()
		for _, arg := range args {
			if err := setKey(&cfg, nil, arg); err != nil {
				return err
			}
		}
		if err := cfg.Validate(); err != nil {
			return err
		}
		n.cfgs[i] = cfg
		n.step(i, Reconfigure{Config: cfg})
	default:
		return errors.New("unknown command")
	}
	return nil
}

// find returns the node and the member that NAME or NAME/WIRE means.
func (s *stage) find(name string) (*node, int, error) {
	who, wire, _ := strings.Cut(name, "/")
	for _, n := range s.nodes {
		if n.name != who {
			continue
		}
		if wire == "" {
			return n, 0, nil
		}
		i := slices.IndexFunc(n.ports, func(p port) bool { return p.wire == wire })
		if i < 0 {
			return nil, 0, fmt.Errorf("%s has no wire %q", who, wire)
		}
		return n, i, nil
	}
	return nil, 0, fmt.Errorf("there is no router %q", who)
}

// router adds a virtual router, to a node of its name if there is one.
func (s *stage) router(args []string) error {
	if len(args) == 0 {
		return errors.New("want a name")
	}
	who, wire, _ := strings.Cut(args[0], "/")
	if wire == "" {
		wire = "lan"
	}
	cfg := Config{Name: args[0], Family: IPv4, Version: 3, VRID: 10, Priority: 100,
		Interval: time.Second, Preempt: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.100")}}
	source := netip.AddrFrom4([4]byte{192, 0, 2, byte(len(s.nodes) + 1)})
	for _, arg := range args[1:] {
		if err := setKey(&cfg, &source, arg); err != nil {
			return err
		}
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	if n, _, err := s.find(who); err == nil {
		n.cfgs = append(n.cfgs, cfg)
		n.ports = append(n.ports, port{wire: wire, source: source, arrival: map[netip.Addr]time.Duration{}})
		return nil
	}
	s.add(who, []Config{cfg}, []string{wire}, []netip.Addr{source})
	return nil
}

// setKey sets one key of a configuration, or the address "from" which a
// router speaks.
func setKey(cfg *Config, source *netip.Addr, arg string) (err error) {
	key, value, _ := strings.Cut(arg, "=")
	number := func() uint8 {
		n, e := strconv.ParseUint(value, 10, 8)
		err = e
		return uint8(n)
	}
	switch key {
	case "version":
		cfg.Version = number()
	case "vrid":
		cfg.VRID = number()
	case "priority":
		cfg.Priority = number()
	case "interval":
		cfg.Interval, err = time.ParseDuration(value)
	case "preempt":
		cfg.Preempt, err = strconv.ParseBool(value)
	case "preempt_delay":
		cfg.PreemptDelay, err = time.ParseDuration(value)
	case "fast":
		cfg.Fast, err = strconv.ParseBool(value)
	case "down_after":
		cfg.DownAfter = number()
	case "start_delay":
		cfg.StartDelay, err = time.ParseDuration(value)
	case "link_delay":
		cfg.LinkDelay, err = time.ParseDuration(value)
	case "min_hold":
		cfg.MinHold, err = time.ParseDuration(value)
	case "peers":
		cfg.Peers = nil
		for _, a := range strings.Split(value, ",") {
			addr, e := netip.ParseAddr(a)
			err = errors.Join(err, e)
			cfg.Peers = append(cfg.Peers, PeerConfig{Address: addr})
		}
	case "addresses":
		cfg.Addresses = nil
		for _, a := range strings.Split(value, ",") {
			addr, e := netip.ParseAddr(a)
			err = errors.Join(err, e)
			cfg.Addresses = append(cfg.Addresses, addr)
			cfg.Family = FamilyOf(addr)
		}
	case "from":
		if source == nil {
			return errors.New("cannot be changed")
		}
		*source, err = netip.ParseAddr(value)
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return err
}

// status prints the status of each router.
func (s *stage) status() {
	for _, n := range s.nodes {
		if !n.on {
			s.tell(n.name, "off")
			continue
		}
		for i := range n.ports {
			s.tell(n.portName(i), describeStatus(s.now, n.machine(i).Status(), n.ports[i].device))
		}
	}
}

func describeStatus(now time.Duration, st Status, dev device) string {
	text := fmt.Sprintf("%v since %v, priority %d, device %s", st.State, st.Since.Sub(epoch), st.Priority,
		[...]string{down: "down", up: "up", silent: "silent"}[dev])
	if st.Master.Address.IsValid() {
		text += fmt.Sprintf(", MASTER %v (priority %d, interval %v)", st.Master.Address, st.Master.Priority, st.Master.Interval)
	}
	if st.Rival.Address.IsValid() {
		text += fmt.Sprintf(", rival %v (priority %d)", st.Rival.Address, st.Rival.Priority)
	}
	if st.Ceded.Address.IsValid() {
		text += fmt.Sprintf(", ceded to %v", st.Ceded.Address)
	}
	for _, w := range st.Waits {
		if !w.Until.After(epoch.Add(now)) {
			continue
		}
		text += fmt.Sprintf(", %s until %v", w.Why, w.Until.Sub(epoch))
	}
	for _, f := range st.Faults {
		text += fmt.Sprintf(", fault %s: %s since %v", f.Key, f.Problem, f.Since.Sub(epoch))
	}
	if st.Deadline.IsZero() {
		return text + ", no deadline"
	}
	return text + fmt.Sprintf(", deadline %v", st.Deadline.Sub(epoch))
}
