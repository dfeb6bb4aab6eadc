package keepalived

import (
	"strings"
	"time"

	"holdfast/conf/convert"
)

// trackers are what can be tracked: the definitions, and the [[track]] made of those
// that are used.
type trackers struct {
	defined map[string]map[string]*directive // by kind and name
	// programs are those of the scripts; nil for one that keepalived cannot run, whose
	// script it does not track.
	programs map[*directive]*program
	made     map[trackKey]string // to the name in holdfast
	order    []trackKey
}

// A trackKey is one [[track]]. A weight with reverse makes another tracker.
type trackKey struct {
	kind, name string
	reverse    bool
}

// The kinds of trackers, by the words that track them.
var trackBlocks = []struct{ word, kind string }{
	{"track_interface", "interface"}, {"track_script", "script"}, {"track_file", "file"}, {"track_process", "process"}, {"track_bfd", "bfd"},
}

// readTrackers collects the definitions. Of two with one name the first holds.
func (c *converter) readTrackers() {
	c.trackers = trackers{defined: map[string]map[string]*directive{}, made: map[trackKey]string{}, programs: map[*directive]*program{}}
	for _, k := range []struct {
		kind  string
		words []string
	}{
		{"script", []string{"vrrp_script"}}, {"process", []string{"vrrp_track_process"}},
		{"file", []string{"track_file", "vrrp_track_file"}}, {"bfd", []string{"bfd_instance"}},
	} {
		byName := map[string]*directive{}
		c.trackers.defined[k.kind] = byName
		for _, d := range c.named(k.words...) {
			if first := byName[d.arg(1)]; first != nil {
				c.report.Person(d.at, "there is a %s %s already, at %v: keepalived ignores this one", d.name(), d.arg(1), first.at)
				skip(d.body)
				continue
			}
			byName[d.arg(1)] = d
			if k.kind == "script" {
				c.trackers.programs[d] = c.readScript(d)
			}
		}
	}
}

// A weight is a weight with its direction.
type weight struct {
	n       int
	reverse bool
}

// readWeight reads "weight N reverse" at the beginning of args.
func readWeight(args []string, low, high int) (w weight, ok bool) {
	if len(args) == 0 {
		return w, false
	}
	w.n, ok = number(args[0], low, high)
	if len(args) > 1 {
		w.reverse = args[1] == "reverse"
		ok = ok && (w.reverse || args[1] == "no_reverse" || args[1] == "noreverse")
	}
	return w, ok
}

// maxWeight is the greatest weight in holdfast. keepalived's files and processes can
// have 254.
const maxWeight = 253

// defaultWeight is the weight of a tracker for those who give none.
func (c *converter) defaultWeight(kind string, d *directive) weight {
	w := weight{}
	if kind == "file" || kind == "process" {
		w.n = 1
	}
	if d == nil {
		return w
	}
	k := last(d.body, "weight")
	if k == nil {
		return w
	}
	bound := 1<<31 - 1
	if kind != "file" {
		bound = 254
	}
	own, ok := readWeight(k.args[1:], -bound, bound)
	if !ok && kind == "script" {
		// Outside the range keepalived complains and keeps the number.
		own, ok = readWeight(k.args[1:], -1<<31, 1<<31-1)
	}
	if !ok {
		c.report.Person(k.at, "weight: keepalived ignores %q", strings.Join(k.args[1:], " "))
		return w
	}
	return own
}

// draftTracking sets what an instance or a group tracks. in is nil for a group.
func (c *converter) draftTracking(t *convert.Table, body []*directive, in *instance) {
	var list []any
	var first *directive
	for _, b := range trackBlocks {
		for _, d := range all(body, b.word) {
			if first == nil {
				first = d
			}
			for _, line := range d.body {
				if item := c.trackItem(b.kind, line, in); item != nil {
					list = append(list, item)
					t.Comment("", named(line.name(), line.comments)...)
				}
			}
		}
	}
	if len(list) > 0 {
		t.Set(first.at, "track", list)
	}
}

// noteLowest tells how low trackers bring the priority: if the other director's is
// lower still, a sick MASTER never yields to it.
func (c *converter) noteLowest(in *instance) {
	well, sick := in.priority, in.priority
	var at *directive
	for _, b := range trackBlocks[:2] { // a file's number is not known
		for _, d := range all(in.body, b.word) {
			for _, line := range d.body {
				w := c.defaultWeight(b.kind, c.trackers.defined[b.kind][line.name()])
				if len(line.args) > 2 && line.args[1] == "weight" {
					w, _ = readWeight(line.args[2:], -254, 254)
				}
				if g := c.inGroup[in.old]; w.n == 0 || g != nil && !g.weights {
					continue
				}
				at = d
				up, down := max(w.n, 0), min(w.n, 0)
				if w.reverse {
					up, down = -up, -down
				}
				well, sick = well+max(up, down), sick+min(up, down)
			}
		}
	}
	if at != nil && in.priority != 255 {
		c.report.Note(at.at, "the priority of %s is between %d, with all well, and %d, with all down: another director takes over from a sick MASTER only if its own priority is in between",
			in.old, min(max(well, 1), 254), min(max(sick, 1), 254))
	}
}

// trackItem returns an element of track for one line, or nil.
func (c *converter) trackItem(kind string, line *directive, in *instance) any {
	d := c.trackers.defined[kind][line.name()]
	if d == nil && kind != "interface" {
		c.report.Person(line.at, "nothing defines %s: keepalived ignores it", line.name())
		return nil
	}
	if kind == "script" && c.trackers.programs[d] == nil {
		c.report.Person(line.at, "keepalived cannot run the program of %s, so it ignores this line", line.name())
		return nil
	}
	own := c.defaultWeight(kind, d)
	w := own
	if len(line.args) > 1 {
		given, ok := readWeight(line.args[2:], -254, 254)
		if line.args[1] != "weight" || !ok {
			c.report.Person(line.at, "keepalived does not understand %q", strings.Join(line.args[1:], " "))
		} else {
			if len(line.args) == 3 {
				given.reverse = own.reverse
			}
			w = given
		}
	}
	if in != nil && w.n != 0 && c.ignoredInGroup(in, line, w) {
		return nil
	}
	if in != nil && w.n != 0 && in.priority == 255 {
		c.report.Note(line.at, "the weight of %s has no effect in keepalived, because the owner of the addresses always has priority 255", line.name())
		return nil
	}
	return c.track(kind, line, w)
}

// ignoredInGroup reports whether keepalived ignores a weight of a member of a group.
func (c *converter) ignoredInGroup(in *instance, line *directive, w weight) bool {
	g := c.inGroup[in.old]
	if g == nil || g.weights {
		return false
	}
	c.report.Note(line.at, "keepalived ignores %s with its weight of %d here, because %s is in the group %s: put it into the group if it should count", line.name(), w.n, in.old, g.old)
	return true
}

// track returns an element of track, and sees that there will be such a [[track]].
func (c *converter) track(kind string, line *directive, w weight) any {
	if w.n > maxWeight || w.n < -maxWeight {
		c.report.Note(line.at, "the weight %d is cut to %d, the greatest change of a priority", w.n, maxWeight)
		w.n = min(max(w.n, -maxWeight), maxWeight)
	}
	key := trackKey{kind, line.name(), w.reverse}
	n := w.n
	switch {
	case w.reverse && kind == "file" && n != 0: // the sign of a number changes: so the weight's does
		key.reverse, n = false, -n
	case w.reverse: // the tracker is up while keepalived's is down
		n = -n
	}
	if kind == "process" && c.noneMayRun(line.name()) { // well while none runs
		key.reverse = !key.reverse
	}
	name := c.trackers.made[key]
	if name == "" {
		wanted := line.name()
		if key.reverse {
			wanted += "-down"
		}
		name = c.name("track", wanted, line.at)
		c.trackers.made[key] = name
		c.trackers.order = append(c.trackers.order, key)
	}
	return convert.Inline{{Key: "name", Value: name}, {Key: "weight", Value: n}}
}

// noneMayRun reports whether the process must not run: quorum_max 0.
func (c *converter) noneMayRun(name string) bool {
	d := c.trackers.defined["process"][name]
	k := last(d.body, "quorum_max")
	return k != nil && k.arg(1) == "0"
}

// draftTrackers makes a [[track]] of each tracker that is used, and reports the
// others.
func (c *converter) draftTrackers() {
	used := map[*directive]bool{}
	for _, key := range c.trackers.order {
		d := c.trackers.defined[key.kind][key.name]
		name := c.trackers.made[key]
		at := c.in0()
		if d != nil {
			at = d.at
		}
		t := c.draft.List("track", at)
		t.Set(at, "name", name)
		t.Set(at, "type", key.kind)
		if key.reverse {
			t.Set(at, "reverse", true)
		}
		if d != nil && !used[d] {
			t.Comment("", d.comments...)
		}
		used[d] = true
		switch key.kind {
		case "interface":
			t.Set(at, "interface", key.name)
		case "script":
			c.draftScript(t, d)
		case "file":
			c.set(t, last(d.body, "file"), "file", argOf(last(d.body, "file")))
			last(d.body, "weight")
		case "process":
			c.draftProcess(t, d)
		case "bfd":
			t.Set(at, "bfd", c.bfdName(key.name))
		}
		c.shareWeight(t, at, key)
	}
	for _, kind := range []string{"script", "process", "file"} {
		for _, d := range c.trackers.defined[kind] {
			if !used[d] && !c.usedFile(d) {
				skip(d.body)
				c.report.Note(d.at, "nothing tracks %s %s: keepalived does not run it, and it was left out", d.name(), d.arg(1))
			}
		}
	}
	c.draftBFD()
}

// shareWeight gives the tracker the weight of the definition, so that those who
// track it need none of their own.
func (c *converter) shareWeight(t *convert.Table, at convert.Position, key trackKey) {
	d := c.trackers.defined[key.kind][key.name]
	w := c.defaultWeight(key.kind, d)
	n := w.n
	if key.kind == "file" && w.reverse || key.kind != "file" && key.reverse {
		n = -n
	}
	if n != 0 && n >= -maxWeight && n <= maxWeight {
		t.Set(at, "weight", n)
	}
}

// in0 is the position of what no line stands for.
func (c *converter) in0() convert.Position {
	if len(c.order) > 0 {
		return c.order[0].d.at
	}
	return c.top[0].at
}

func argOf(d *directive) string {
	if d == nil {
		return ""
	}
	return d.arg(1)
}

// draftScript sets the keys of a vrrp_script.
func (c *converter) draftScript(t *convert.Table, d *directive) {
	k, p := last(d.body, "script"), c.trackers.programs[d]
	t.Set(k.at, "command", p.value(false))
	t.Comment("command", k.comments...)
	c.scripts = append(c.scripts, p)
	interval := c.scriptTime(d, "interval", time.Second)
	timeout := c.scriptTime(d, "timeout", interval)
	t.Set(position(d, last(d.body, "interval")), "interval", duration(interval))
	if timeout > interval {
		c.report.Person(last(d.body, "timeout").at, "the timeout of %s is longer than the interval of %s: in holdfast a script has at most its interval, so that was written; make the interval longer if the script needs more time",
			duration(timeout), duration(interval))
		timeout = interval
	}
	if timeout != interval {
		t.Set(position(d, last(d.body, "timeout")), "timeout", duration(timeout))
	}
	c.draftRiseFall(t, d)
}

// readScript reads the program of a vrrp_script, or returns nil if keepalived cannot
// run it.
func (c *converter) readScript(d *directive) *program {
	user, k := last(d.body, "user"), last(d.body, "script")
	if k == nil {
		c.report.Person(d.at, "the vrrp_script %s has no script: keepalived ignores it", d.arg(1))
		return nil
	}
	p := c.trackProgram(k)
	if p != nil && user != nil {
		p.user, p.group = user.arg(1), user.arg(2)
	}
	return p
}

// trackProgram reads the program of a vrrp_script: without quotes, the
// words after the path are lost.
func (c *converter) trackProgram(k *directive) *program {
	words, ok := commandWords(k.text)
	if !ok || len(words) < 2 {
		c.report.Person(k.at, "script: there is no program, or a quote is not closed: keepalived runs nothing")
		return nil
	}
	argv, ok := commandWords(words[1])
	if !ok || len(argv) == 0 {
		c.report.Person(k.at, "script: a quote is not closed: keepalived runs nothing")
		return nil
	}
	// keepalived has a shell open the file: such a script has no program.
	if strings.HasPrefix(argv[0], "</") {
		return &program{at: k.at, argv: []string{"/bin/sh", "-c", words[1]}}
	}
	if len(words) > 2 {
		c.report.Note(k.at, "script: without quotes, keepalived runs %s without %q; probably these were meant to be arguments", argv[0], strings.Join(words[2:], " "))
	}
	return c.absolute(&program{at: k.at, argv: argv}, k)
}

// scriptTime reads interval or timeout of a vrrp_script, in whole seconds.
func (c *converter) scriptTime(d *directive, word string, otherwise time.Duration) time.Duration {
	k := last(d.body, word)
	if k == nil {
		return otherwise
	}
	n, ok := number(k.arg(1), 1, 24*3600)
	if !ok {
		c.report.Person(k.at, "%s must be whole seconds from 1 on, not %q: keepalived takes %s", word, k.arg(1), duration(otherwise))
		return otherwise
	}
	return time.Duration(n) * time.Second
}

// draftRiseFall sets rise and fall of a script; keepalived's defaults are 1.
func (c *converter) draftRiseFall(t *convert.Table, d *directive) {
	for _, key := range []string{"rise", "fall"} {
		k := last(d.body, key)
		n := 1
		if k != nil {
			var ok bool
			if n, ok = number(k.arg(1), 1, 1000); !ok {
				c.report.Person(k.at, "%s must be from 1 to 1000, not %q", key, k.arg(1))
				n = 1
			}
		}
		t.Set(position(d, k), key, n)
		t.Comment(key, comments(k)...)
	}
	last(d.body, "weight")
}

// processStep is the interval of a process tracker, in which its delays are counted.
const processStep = 100 * time.Millisecond

// draftProcess sets the keys of a vrrp_track_process.
func (c *converter) draftProcess(t *convert.Table, d *directive) {
	full := last(d.body, "full_command") != nil
	match := last(d.body, "param_match")
	if k := last(d.body, "process"); k != nil {
		words := k.args[1:]
		if len(words) == 0 {
			c.report.Person(k.at, "process: there is no name")
			return
		}
		if full && !strings.HasPrefix(words[0], "/") {
			c.report.Person(k.at, "full_command with %q: holdfast compares the whole path of the program, like /usr/sbin/%s", words[0], words[0])
		}
		t.Set(k.at, "process", words[0])
		if len(words) > 1 {
			t.Set(k.at, "parameters", words[1:])
			if match != nil {
				// keepalived's words for these two are the other way round.
				names := map[string]string{"initial": "partial", "partial": "initial"}
				t.Set(match.at, "parameters_match", names[match.arg(1)])
			}
		}
		t.Comment("process", k.comments...)
	}
	c.set(t, last(d.body, "quorum"), "quorum", plain(argOf(last(d.body, "quorum"))))
	if k := last(d.body, "quorum_max"); k != nil && k.arg(1) != "0" {
		c.set(t, k, "quorum_max", plain(k.arg(1)))
	}
	both := last(d.body, "delay")
	c.draftDelay(t, d, "rise", both, last(d.body, "fork_delay"))
	c.draftDelay(t, d, "fall", both, last(d.body, "terminate_delay"))
	last(d.body, "weight")
}

// plain returns a number as a value, and other text as a string that holdfast
// refuses with the right message.
func plain(s string) any {
	if n, ok := number(s, -1<<40, 1<<40); ok {
		return n
	}
	return s
}

// draftDelay sets a delay as a count of intervals.
func (c *converter) draftDelay(t *convert.Table, d *directive, key string, list ...*directive) {
	for _, k := range list {
		if k == nil {
			continue
		}
		v, ok := seconds(k.arg(1))
		if !ok || v > 99*time.Second {
			c.report.Person(k.at, "%s must be up to 99 seconds, not %q", k.name(), k.arg(1))
			continue
		}
		if v > 0 {
			t.Set(d.at, "interval", duration(processStep))
			t.Set(k.at, key, int((v+processStep-1)/processStep)+1)
		}
	}
}

// usedFile reports whether a FILE_CHECK uses the file.
func (c *converter) usedFile(d *directive) bool { return c.checkedFiles[d.arg(1)] }

// bfdName is the name of a session.
func (c *converter) bfdName(old string) string {
	if name := c.bfds[old]; name != "" {
		return name
	}
	d := c.trackers.defined["bfd"][old]
	at := c.in0()
	if d != nil {
		at = d.at
	}
	name := c.name("bfd", old, at)
	c.bfds[old] = name
	return name
}
