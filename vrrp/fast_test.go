package vrrp

import (
	"slices"
	"testing"
	"time"
)

// A MASTER answers each question and no answer, so two MASTERs do not answer each other
// without end.
func TestNobodyAnswersAnAnswer(t *testing.T) {
	r := newRig(t, 3, func(c *Config) { c.Fast = true })
	r.event(Start{})
	r.now = time.Minute
	if done := r.event(Elapsed{}); r.g.Member(0).State() != Master {
		t.Fatalf("not MASTER: %v", done)
	}
	for _, priority := range []uint8{50, 100, 200} {
		question := Advert{Version: 3, VRID: 10, Priority: priority, Backup: true, Interval: time.Second, Addresses: r.g.Member(0).Config().Addresses}
		answer := question
		answer.Answer, answer.Interval = true, 0
		if got, want := r.event(&Received{Advert: &question, Source: highAddr}), []string{"answer 192.0.2.200 priority=100"}; !slices.Equal(got, want) {
			t.Errorf("a question of priority %d: %v, want %v", priority, got, want)
		}
		if got := r.event(&Received{Advert: &answer, Source: highAddr}); len(got) > 0 {
			t.Errorf("an answer of priority %d: %v", priority, got)
		}
	}
}

// Whoever floods the wire with questions gets a bounded number of answers, and one who asks
// a moment later gets his.
func TestAnswersAreBounded(t *testing.T) {
	r := newRig(t, 3, func(c *Config) { c.Fast = true })
	r.event(Start{})
	r.now = time.Minute
	r.event(Elapsed{})
	question := &Received{Source: highAddr, Advert: &Advert{Version: 3, VRID: 10, Priority: 50, Backup: true, Interval: time.Second, Addresses: r.g.Member(0).Config().Addresses}}
	answers := 0
	for range 20_000 { // in half a second
		r.now += 25 * time.Microsecond
		answers += len(r.event(question))
	}
	if least, most := 500, 500+fastBurst; answers < least || answers > most {
		t.Errorf("%d answers to 20,000 questions in 500 ms, want %d to %d", answers, least, most)
	}
	r.now += 2 * fastPause
	if len(r.event(question)) != 1 {
		t.Error("a question after the flood has no answer")
	}
	r.now += fastBurst * fastPause
	for i := range fastBurst {
		if len(r.event(question)) != 1 {
			t.Errorf("question %d of a burst has no answer", i)
		}
	}
}

// An answer has the interval zero on the wire, in both versions.
func TestAnswerOnTheWire(t *testing.T) {
	for _, version := range []uint8{2, 3} {
		cfg := newRig(t, version, func(c *Config) { c.Fast = true }).g.Member(0).Config()
		a := Advert{Version: version, VRID: cfg.VRID, Priority: 50, Backup: true, Answer: true, Addresses: cfg.Addresses}
		p := Packet{highAddr, ownAddr, HopLimit, a.Append(nil, highAddr, ownAddr, cfg.Checksum)}
		var got Advert
		if drop := Decode(p, &got); drop != DropNone || !got.Answer || got.Interval != 0 {
			t.Errorf("version %d: %+v (%v)", version, got, drop)
		}
		if drop := cfg.Admit(p, ownAddr, &got); drop != DropNone {
			t.Errorf("version %d is not admitted: %v", version, drop)
		}
		question := got
		question.Interval = time.Second
		p.Payload = question.Append(nil, highAddr, ownAddr, cfg.Checksum)
		if drop := Decode(p, &got); drop != DropNone || got.Answer {
			t.Errorf("version %d: a question: %+v (%v)", version, got, drop)
		}
	}
}
