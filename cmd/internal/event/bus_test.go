package event

import (
	"testing"
	"time"
)

// Every subscriber gets the event in the order of the list, with the number that
// the journal gave it and all that the journal does not keep.
func TestPublish(t *testing.T) {
	journal := NewJournal(4, 6)
	var got []Event
	var order string
	bus := NewBus(
		journal.Handle,
		func(e *Event) { order += "a"; got = append(got, *e) },
		func(*Event) { order += "b" },
	)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	bus.Publish(Event{At: at, Kind: KindInstance, Subject: "x", To: Master, Instance: &Instance{Priority: 7}})
	bus.Publish(Event{Kind: KindProtocolError, Instance: &Instance{}, NotJournaled: true})
	bus.Publish(Event{Kind: KindService, Service: &Service{Name: "s"}})
	if order != "ababab" {
		t.Errorf("the subscribers were called in the order %s", order)
	}
	for i, want := range []uint64{7, 0, 8} {
		if got[i].Seq != want || got[i].At.IsZero() {
			t.Errorf("event %d has the number %d and the time %v, want %d", i, got[i].Seq, got[i].At, want)
		}
	}
	if !got[0].At.Equal(at) || got[0].Instance.Priority != 7 || got[2].Service.Name != "s" {
		t.Errorf("subscribers got %+v", got)
	}
	kept := journal.Since(0)
	if len(kept) != 2 || kept[0].Subject != "x" || kept[0].Instance != nil || kept[1].Service != nil {
		t.Errorf("the journal keeps %+v", kept)
	}
}

// The JSON form has the journal's fields only.
func TestJSON(t *testing.T) {
	e := Event{
		Seq: 3, At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Kind: KindGroup, Subject: "g", From: Init, To: Backup, Reason: "r",
		Detail: map[string]string{"k": "v"}, Instance: &Instance{}, Group: &Group{}, Service: &Service{}, NotJournaled: true,
	}
	want := `{"seq":3,"at":"2026-03-01T12:00:00Z","kind":"group","subject":"g","from":"INIT","to":"BACKUP","reason":"r","detail":{"k":"v"}}`
	if got, err := e.JSON(); err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}
