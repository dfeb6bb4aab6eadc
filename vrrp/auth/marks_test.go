package auth

import (
	"testing"

	"holdfast/vrrp"
)

// A guard that continues for another one sends numbers that others take, though the
// clock is behind them, and refuses what the other one has heard.
func TestMarksGoOn(t *testing.T) {
	config := Config{Kind: Header, Secret: "swordfsh"}
	fresh := func() *Guard { return New(config, vrrp.IPv4, 2, 10, nil) }
	send := func(g *Guard) []byte { return headerPacket(g, at) }
	sender, receiver := fresh(), fresh()
	var last []byte
	for range 40 { // the numbers run ahead of the clock, as with many peers
		last = send(sender)
		if drop := receiver.Check(at, vrrp.Packet{}, last); drop != vrrp.DropNone {
			t.Fatalf("dropped: %v", drop)
		}
	}
	if drop := receiver.Check(at, vrrp.Packet{}, send(fresh())); drop != vrrp.DropReplay {
		t.Errorf("without marks: %v; the test tests nothing", drop)
	}
	receiving, sending := fresh(), fresh()
	receiving.Recall(receiver.Marks())
	sending.Recall(sender.Marks())
	if drop := receiving.Check(at, vrrp.Packet{}, last); drop != vrrp.DropReplay {
		t.Errorf("the last advert again: %v", drop)
	}
	if drop := receiving.Check(at, vrrp.Packet{}, send(sending)); drop != vrrp.DropNone {
		t.Errorf("the next advert: %v", drop)
	}
	var none *Guard
	none.Recall(sender.Marks())
	if m := none.Marks(); !m.None() {
		t.Errorf("no guard has %+v", m)
	}
}
