package bfd

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"holdfast/integration/tools"
)

// heard is a user that records what it is told.
func user(name string, c Config) (User, *witness) {
	w := &witness{}
	c.Name = name
	return User{Config: c, Heed: w.hear}, w
}

// upFor waits until a user knows its session as Up.
func upFor(t *testing.T, w *witness, name string) {
	t.Helper()
	tools.Await(t, name+" knows that it is up", func() (any, bool) { c := w.last(name); return c, c.To == Up })
}

// Users and the configuration share one session of a neighbour and interface, over
// which of them comes and goes, and a user learns what the session is.
func TestUsers(t *testing.T) {
	here, there := newLAN(t)
	s, _ := here.speak()
	other, _ := there.speak(single("far", "10.0.0.1", "10.0.0.2", "eth0"))
	quick := single("", "10.0.0.2", "10.0.0.1", "eth0")
	first, told := user("first", quick)
	s.Add(first)
	upFor(t, told, "first")
	before := statuses(s)["first"]
	second, alsoTold := user("second", quick)
	s.Add(second)
	upFor(t, alsoTold, "second")
	listed := quick
	listed.Name, listed.MinTx = "listed", 700*ms
	s.Apply([]Config{listed}, nil, 0)
	tools.Await(t, "the timers of the configuration", func() (any, bool) {
		st := statuses(other)["far"]
		return st, st.RemoteMinTx == 700*ms
	})
	st := statuses(s)["listed"]
	if len(statuses(s)) != 1 || st.Local != before.Local || !st.Listed || !slices.Equal(st.Users, []string{"first", "second"}) || st.Downs != 0 {
		t.Errorf("before %+v, after %+v", before, st)
	}
	s.Remove("first")
	s.Apply(nil, nil, 0)
	st = statuses(s)["second"]
	if len(statuses(s)) != 1 || st.Local != before.Local || st.Listed || !slices.Equal(st.Users, []string{"second"}) {
		t.Errorf("before %+v, with the second user alone %+v", before, st)
	}
	other.Close()
	tools.Await(t, "the second hears of the end", func() (any, bool) { c := alsoTold.last("second"); return c, c.To == Down })
	if c := told.last("first"); c.To != Up {
		t.Errorf("the first one heard %+v after it had gone", c)
	}
	s.Remove("second")
	if all := statuses(s); len(all) != 0 {
		t.Errorf("without users: %+v", all)
	}
}

// A session of the configuration without an interface serves users on any, and a
// multihop session serves none.
func TestServes(t *testing.T) {
	u := &User{Config: single("u", "10.0.0.2", "", "eth0")}
	for _, tt := range []struct {
		c    Config
		want bool
	}{
		{single("a", "10.0.0.2", "10.0.0.77", "eth0"), true},
		{single("a", "10.0.0.2", "", ""), true},
		{single("a", "10.0.0.2", "", "eth1"), false},
		{single("a", "10.0.0.3", "", "eth0"), false},
		{multihop(single("a", "10.0.0.2", "", "")), false},
	} {
		if got := (&wish{Config: tt.c}).serves(u); got != tt.want {
			t.Errorf("%+v: %v", tt.c, got)
		}
	}
}

// A user that comes some time after an upgrade continues its session, if the
// neighbour still waits.
func TestUserAfterUpgrade(t *testing.T) {
	here, there := newLAN(t)
	a, _ := here.speak()
	b, _ := there.speak(single("far", "10.0.0.1", "", ""))
	u, told := user("u", single("", "10.0.0.2", "", "eth0"))
	a.Add(u)
	upFor(t, told, "u")
	awaitUp(t, b)
	before := statuses(a)["u"]
	known := a.Save()
	a.do(func() { a.closeTx(a.table.list[0]) }) // it ends without a word
	a.Close()
	next, _ := here.speak()
	next.Apply(nil, known, time.Second)
	next.Add(u)
	if st := statuses(next)["u"]; st.State != Up || st.Local != before.Local || st.Port != before.Port {
		t.Errorf("before %+v, after %+v", before, st)
	}
}

// A session is urgent if one end is to notice within 100 ms that the other is dead.
func TestUrgent(t *testing.T) {
	timers := func(tx, rx time.Duration, multiplier uint8) Config {
		return Config{Timers: Timers{MinTx: tx, MinRx: rx, Multiplier: multiplier}}
	}
	for _, tt := range []struct {
		c    Config
		want bool
	}{
		{timers(10*ms, 10*ms, 3), true}, {timers(10*ms, 300*ms, 3), true}, {timers(300*ms, 10*ms, 3), true},
		{timers(33*ms, 33*ms, 3), true}, {timers(50*ms, 50*ms, 2), false}, {timers(300*ms, 300*ms, 3), false},
	} {
		if got := tt.c.urgent(); got != tt.want {
			t.Errorf("%+v: %v", tt.c.Timers, got)
		}
	}
	here, _ := newLAN(t)
	fast := single("fast", "10.0.0.2", "", "eth0")
	fast.MinTx, fast.MinRx, fast.Multiplier = 10*ms, 10*ms, 3
	slow := single("slow", "10.0.0.78", "", "eth0")
	s, w := here.speak(slow)
	s.Apply([]Config{slow, fast}, nil, 0)
	s.Apply([]Config{fast, slow}, nil, 0)
	s.Apply([]Config{slow}, nil, 0)
	if want := [][]string{{"fast"}, nil}; !reflect.DeepEqual(w.urgent, want) {
		t.Errorf("told %q, want %q", w.urgent, want)
	}
}

// While a session is up and sends often, nobody is woken for the neighbour's packets; when
// it has fallen, they wake again, or it would not come up.
func TestQuick(t *testing.T) {
	here, there := newLAN(t)
	quick := func(c Config) Config {
		c.MinTx, c.MinRx = 20*ms, 20*ms
		return c
	}
	slow := single("slow", "fe80::2", "", "eth0")
	a, _ := here.speak(quick(single("s", "10.0.0.2", "", "eth0")), slow)
	b, _ := there.speak(quick(single("s", "10.0.0.1", "", "eth0")), single("slow", "fe80::1", "", "eth0"))
	awaitUp(t, a)
	awaitUp(t, b)
	watched := func(v6 bool) (is bool) {
		a.do(func() { is = !a.rx[rxKey{v6: v6, device: "eth0"}].unwatched })
		return is
	}
	tools.Await(t, "the quick one is not watched", func() (any, bool) { return nil, !watched(false) })
	if !watched(true) {
		t.Error("the slow one is not watched")
	}
	before := statuses(a)["s"]
	tools.Await(t, "packets are read all the same", func() (any, bool) {
		st := statuses(a)["s"]
		return st, st.Received >= before.Received+20 && st.State == Up
	})
	b.Close()
	tools.Await(t, "it is watched again", func() (any, bool) { return nil, watched(false) })
	b, _ = there.speak(quick(single("s", "10.0.0.1", "", "eth0")), single("slow", "fe80::1", "", "eth0"))
	awaitUp(t, a)
	awaitUp(t, b)
}
