package due

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(n int) time.Time { return epoch.Add(time.Duration(n) * time.Millisecond) }

// A model is a queue as a list that is searched, to compare a Queue with.
type model struct {
	queue Queue[int]
	items []*Item[int]
	due   map[int]time.Time // of the queued items, by Value
}

func newModel(n int) *model {
	m := &model{due: map[int]time.Time{}}
	for i := range n {
		m.items = append(m.items, &Item[int]{Value: i})
	}
	return m
}

func (m *model) set(i int, t time.Time) {
	m.queue.Set(m.items[i], t)
	if t.IsZero() {
		delete(m.due, i)
	} else {
		m.due[i] = t
	}
}

func (m *model) remove(i int) {
	m.queue.Remove(m.items[i])
	delete(m.due, i)
}

func (m *model) check(t *testing.T, now time.Time) {
	t.Helper()
	var first time.Time
	for _, d := range m.due {
		if first.IsZero() || d.Before(first) {
			first = d
		}
	}
	if m.queue.Len() != len(m.due) || !m.queue.Next().Equal(first) {
		t.Fatalf("%d items, the first due %v; want %d and %v", m.queue.Len(), m.queue.Next(), len(m.due), first)
	}
	got := m.queue.Due(now)
	if wanted := !first.IsZero() && !first.After(now); (got != nil) != wanted {
		t.Fatalf("Due(%v) returned %v, and the first is due %v", now, got, first)
	}
	if got != nil && !m.due[got.Value].Equal(first) {
		t.Fatalf("Due returned item %d, due %v; the first is due %v", got.Value, m.due[got.Value], first)
	}
	for i, item := range m.items {
		if !item.At().Equal(m.due[i]) {
			t.Fatalf("item %d is due %v, want %v", i, item.At(), m.due[i])
		}
	}
}

// drain takes all items out in order.
func (m *model) drain(t *testing.T) {
	t.Helper()
	want := make([]time.Time, 0, len(m.due))
	for _, d := range m.due {
		want = append(want, d)
	}
	slices.SortFunc(want, time.Time.Compare)
	for _, w := range want {
		i := m.queue.Due(w)
		if i == nil || !i.At().Equal(w) {
			t.Fatalf("got %v, want what is due %v", i, w)
		}
		m.queue.Remove(i)
	}
	if m.queue.Len() != 0 || !m.queue.Next().IsZero() || m.queue.Due(at(1<<20)) != nil {
		t.Fatalf("%d items are left, due %v", m.queue.Len(), m.queue.Next())
	}
}

func TestRandomWalk(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newModel(1 + r.IntN(40))
		for range 300 {
			i := r.IntN(len(m.items))
			switch r.IntN(8) {
			case 0:
				m.remove(i)
			case 1:
				m.set(i, time.Time{})
			default:
				m.set(i, at(r.IntN(60))) // often the same as another's, or as its own
			}
			m.check(t, at(r.IntN(60)))
		}
		m.drain(t)
	}
}

func FuzzQueue(f *testing.F) {
	f.Add([]byte{1, 5, 2, 3, 1, 9, 3, 0, 2, 0, 1, 1})
	f.Fuzz(func(t *testing.T, steps []byte) {
		m := newModel(16)
		for ; len(steps) >= 2; steps = steps[2:] {
			i, when := int(steps[0]%16), int(steps[1])
			switch {
			case when == 0:
				m.set(i, time.Time{})
			case when == 255:
				m.remove(i)
			default:
				m.set(i, at(when))
			}
			m.check(t, at(int(steps[0])))
		}
		m.drain(t)
	})
}

// The caller may set, remove and move the item that is due, and others, between
// two calls of Due.
func TestLoop(t *testing.T) {
	var q Queue[string]
	a, b, c := &Item[string]{Value: "a"}, &Item[string]{Value: "b"}, &Item[string]{Value: "c"}
	q.Set(a, at(1))
	q.Set(b, at(2))
	q.Set(c, at(3))
	var got []string
	for i := q.Due(at(3)); i != nil; i = q.Due(at(3)) {
		got = append(got, i.Value)
		switch i {
		case a:
			q.Set(a, at(10))
			q.Remove(b)
		case c:
			q.Set(c, time.Time{})
		}
	}
	if !slices.Equal(got, []string{"a", "c"}) || q.Len() != 1 || !q.Next().Equal(at(10)) {
		t.Errorf("%v were due, %d items are left, due %v", got, q.Len(), q.Next())
	}
}

func TestAllocations(t *testing.T) {
	var q Queue[int]
	items := make([]Item[int], 100)
	for i := range items {
		q.Set(&items[i], at(i))
	}
	n := 0
	if got := testing.AllocsPerRun(100, func() {
		n++
		q.Remove(&items[n%100])
		q.Set(&items[n%100], at(n+100))
		q.Set(&items[(n+50)%100], at(n+50))
	}); got != 0 {
		t.Errorf("%v allocations for one change", got)
	}
}

// BenchmarkQueue is a thousand timers that expire in turn, as adverts do, with
// as many packets between that put one off.
func BenchmarkQueue(b *testing.B) {
	var q Queue[int]
	items := make([]Item[int], 1000)
	for i := range items {
		q.Set(&items[i], epoch.Add(time.Duration(i)*time.Millisecond))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		first := q.Due(q.Next())
		q.Set(first, first.At().Add(time.Second))
		n++
		put := &items[n*7919%1000]
		q.Set(put, put.At().Add(100*time.Millisecond))
	}
}
