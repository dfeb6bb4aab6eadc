package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// This file and rfc_timer_test.go have one test for each sentence of RFC 3768
// §6.1 and §6.4 (version 2) and RFC 9568 §6.1 and §6.4 (version 3). Tests are
// named by state and event, quote the sentence in few words and end in the
// section. Where both standards say the same, the test plays both versions.
//
// The names differ: RFC 9568 writes Active where RFC 3768 writes Master, and
// Active_Down_Timer for Master_Down_Timer. The comments use the latter.
//
// A test has three parts: bring the machine into the state, let the event
// happen, compare actions and deadline. Sentences about ARP, Neighbor Discovery
// and forwarding come down to whether the machine holds the addresses, and
// whether it speaks for them.

// --- Initialize

// "If a Startup event is received, then: If the Priority = 255 (i.e., the
// router owns the IPvX address(es)): Send an ADVERTISEMENT; broadcast a
// gratuitous ARP for each IP address; set the Adver_Timer to
// Advertisement_Interval; transition to the {Master} state."
// Reference: RFC 3768 §6.4.1, RFC 9568 §6.4.1.
func TestInitStartupOwner(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, func(c *Config) { c.Priority = 255 })
		r.want("startup", r.event(Start{}),
			"INIT -> BACKUP", "claim", "send priority=255", "announce", "BACKUP -> MASTER")
		r.wantDeadline(time.Second)
		r.wantState(Master, true)
	})
}

// "else: Set the Master_Down_Timer to Master_Down_Interval; transition to the
// {Backup} state." Reference: RFC 3768 §6.4.1, RFC 9568 §6.4.1.
func TestInitStartup(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.wantNoDeadline()
		r.want("startup", r.event(Start{}), "INIT -> BACKUP")
		r.wantDeadline(down100)
		r.wantState(Backup, false)
	})
}

// "Set Active_Adver_Interval to Advertisement_Interval": without a MASTER the
// router counts by its own interval. Reference: RFC 9568 §6.4.1.
func TestInitStartupOwnInterval(t *testing.T) {
	r := newRig(t, 3, func(c *Config) { c.Interval = 100 * time.Millisecond })
	r.event(Start{})
	r.wantDeadline(down100 / 10)
}

// The purpose of the {Initialize} state is to wait for a Startup event:
// adverts mean nothing. Reference: RFC 3768 §6.4.1, RFC 9568 §6.4.1.
func TestInitWaits(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.want("advert", r.receive(90, lowAddr))
		r.want("priority 0", r.receive(0, lowAddr))
		r.wantState(Init, false)
		r.wantNoDeadline()
	})
}

// --- Backup

// "MUST NOT respond to ARP requests", "MUST discard packets with a destination
// link layer MAC address equal to the virtual router MAC address", "MUST NOT
// accept packets addressed to the IP address(es)", "MUST NOT send Router
// Advertisements": a BACKUP does not hold the addresses and sends nothing.
// Reference: RFC 3768 §6.4.2, RFC 9568 §6.4.2.
func TestBackupIsSilent(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.backup()
		for range 20 {
			r.want("advert of the MASTER", r.receive(200, highAddr))
			r.wantState(Backup, false)
			r.now += time.Second
		}
		if sent := r.g.Member(0).Status().Counters.Sent; sent != 0 {
			t.Errorf("a BACKUP sent %d adverts", sent)
		}
	})
}

// "If a Shutdown event is received, then: Cancel the Master_Down_Timer;
// transition to the {Initialize} state." Nothing is sent.
// Reference: RFC 3768 §6.4.2, RFC 9568 §6.4.2.
func TestBackupShutdown(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.backup()
		r.want("shutdown", r.event(Stop{}), "BACKUP -> INIT", "stopped")
		r.wantNoDeadline()
		r.wantState(Init, false)
	})
}

// "If the Master_Down_Timer fires, then: Send an ADVERTISEMENT; broadcast a
// gratuitous ARP for each IP address; set the Adver_Timer to
// Advertisement_Interval; transition to the {Master} state."
// Reference: RFC 3768 §6.4.2, RFC 9568 §6.4.2.
func TestBackupTimerFires(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.backup()
		r.want("timer", r.elapse(down100), "claim", "send priority=100", "announce", "BACKUP -> MASTER")
		r.wantDeadline(down100 + time.Second)
		r.wantState(Master, true)
	})
}

// Not a sentence of the RFC, which knows no time between decision and address:
// until the addresses are held, nothing is sent.
func TestBackupClaimsFirst(t *testing.T) {
	r := newRig(t, 3, nil)
	r.backup()
	actions := r.g.Step(epoch.Add(down100), 0, Elapsed{})
	if len(actions) != 1 || actions[0].Verb != Claim {
		t.Errorf("the timer made %v, want a claim alone", actions)
	}
	r.wantState(Backup, false)
	r.wantNoDeadline()
}

// "If an ADVERTISEMENT is received, then: If the Priority in the ADVERTISEMENT
// is Zero, then: Set the Master_Down_Timer to Skew_Time."
// Reference: RFC 3768 §6.4.2, RFC 9568 §6.4.2.
func TestBackupPriorityZero(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.backup()
		r.now = time.Second
		r.receive(200, highAddr)
		r.now = 1500 * time.Millisecond
		r.want("priority 0", r.receive(0, highAddr))
		r.wantDeadline(1500*time.Millisecond + skew100)
		r.wantState(Backup, false)
	})
}

// The skew time is that of the MASTER's interval in version 3.
// Reference: RFC 9568 §6.1, §6.4.2.
func TestBackupPriorityZeroInterval(t *testing.T) {
	r := newRig(t, 3, nil)
	r.backup()
	r.receiveInterval(200, highAddr, 10*time.Second)
	r.receiveInterval(0, highAddr, 10*time.Second)
	r.wantDeadline(10 * skew100)
}

// Stricter than the RFC: priority 0 counts from the MASTER alone. What another
// router gives up is not ours to take.
func TestBackupPriorityZeroOfAnother(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.backup()
		r.receive(200, highAddr)
		r.receive(0, lowAddr)
		r.wantDeadline(down100)
		// When no MASTER was heard, there is nobody to mistake it for.
		r = newRig(t, version, nil)
		r.backup()
		r.receive(0, lowAddr)
		r.wantDeadline(skew100)
	})
}

// "If Preempt_Mode is False, or if the Priority in the ADVERTISEMENT is greater
// than or equal to the local Priority, then: Reset the Master_Down_Timer to
// Master_Down_Interval." Reference: RFC 3768 §6.4.2, RFC 9568 §6.4.2.
func TestBackupHears(t *testing.T) {
	for _, test := range []struct {
		name     string
		preempt  bool
		priority uint8
	}{
		{"higher priority", true, 101},
		{"equal priority", true, 100},
		{"owner", true, 255},
		{"lower priority without preempt", false, 1},
		{"higher priority without preempt", false, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			both(t, func(t *testing.T, version uint8) {
				r := newRig(t, version, func(c *Config) { c.Preempt = test.preempt })
				r.backup()
				r.now = 3 * time.Second
				// The address of the sender does not matter here.
				for _, source := range []netip.Addr{lowAddr, highAddr} {
					r.want("advert", r.receive(test.priority, source))
					r.wantDeadline(r.now + down100)
					r.now += time.Second
				}
				r.wantState(Backup, false)
			})
		})
	}
}

// "Set the Active_Adver_Interval to the Max Advertise Interval contained in the
// ADVERTISEMENT; recompute the Skew_Time; recompute the Active_Down_Interval;
// set the Active_Down_Timer to Active_Down_Interval." Reference: RFC 9568 §6.4.2.
func TestBackupLearnsInterval(t *testing.T) {
	for _, interval := range []time.Duration{MinIntervalV3, 100 * time.Millisecond, 10 * time.Second, MaxIntervalV3} {
		r := newRig(t, 3, nil)
		r.backup()
		r.want("advert", r.receiveInterval(200, highAddr, interval))
		r.wantDeadline(3*interval + skewTime(3, 100, interval))
	}
}

// "else: Discard the ADVERTISEMENT": the timer runs on, and nothing is learned.
// Reference: RFC 3768 §6.4.2, RFC 9568 §6.4.2.
func TestBackupDiscardsLower(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.backup()
		r.now = 2 * time.Second
		interval := time.Second
		if version == 3 {
			interval = 10 * time.Second
		}
		r.want("advert", r.receiveInterval(99, highAddr, interval))
		r.wantDeadline(down100)
		r.want("timer", r.elapse(down100), "claim", "send priority=100", "announce", "BACKUP -> MASTER")
	})
}

// --- Master

// "MUST respond to ARP requests", "MUST forward packets with a destination link
// layer MAC address equal to the virtual router MAC address": a MASTER holds
// the addresses, and keeps them. Reference: RFC 3768 §6.4.3, RFC 9568 §6.4.3.
func TestMasterHolds(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		at := r.master()
		for i := range 20 {
			r.wantState(Master, true)
			r.elapse(at + time.Duration(i+1)*time.Second)
		}
	})
}

// "If a Shutdown event is received, then: Cancel the Adver_Timer; send an
// ADVERTISEMENT with Priority = 0; transition to the {Initialize} state." The
// addresses go when the successor is heard, or when none can come any more.
// Reference: RFC 3768 §6.4.3, RFC 9568 §6.4.3.
func TestMasterShutdown(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		at := r.master()
		r.now += 300 * time.Millisecond
		r.want("shutdown", r.event(Stop{}), "send priority=0", "mute", "MASTER -> INIT")
		r.wantState(Init, true)
		r.want("nobody came", r.elapse(at+300*time.Millisecond+time.Second+succession), "release", "stopped")
		r.wantState(Init, false)
		r.wantNoDeadline()
	})
}

// The same with a successor whose advert arrives.
func TestMasterShutdownSuccessor(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.master()
		r.event(Stop{})
		r.now += 500 * time.Millisecond
		r.want("successor", r.receive(90, lowAddr))
		r.wantState(Init, true)
		r.want("linger", r.elapse(r.now+linger), "release", "stopped")
		r.wantNoDeadline()
	})
}

// "If the Adver_Timer fires, then: Send an ADVERTISEMENT; reset the Adver_Timer
// to Advertisement_Interval." Reference: RFC 3768 §6.4.3, RFC 9568 §6.4.3.
func TestMasterAdverTimer(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, func(c *Config) { c.Interval = 2 * time.Second })
		at := r.master()
		for i := range 5 {
			r.want("timer", r.elapse(at+time.Duration(i+1)*2*time.Second), "send priority=100")
		}
	})
}

// A timer that is served late does not move those that follow.
func TestMasterAdverTimerLate(t *testing.T) {
	r := newRig(t, 3, nil)
	at := r.master()
	r.now = at + 1300*time.Millisecond
	r.want("timer, late", r.event(Elapsed{}), "send priority=100")
	r.wantDeadline(at + 2*time.Second)
}

// "If an ADVERTISEMENT is received, then: If the Priority in the ADVERTISEMENT
// is Zero, then: Send an ADVERTISEMENT; reset the Adver_Timer to
// Advertisement_Interval." Reference: RFC 3768 §6.4.3, RFC 9568 §6.4.3.
func TestMasterPriorityZero(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		at := r.master()
		r.now = at + 400*time.Millisecond
		r.want("priority 0", r.receive(0, highAddr), "send priority=100")
		r.wantDeadline(r.now + time.Second)
		r.wantState(Master, true)
	})
}

// "If the Priority in the ADVERTISEMENT is greater than the local Priority, or
// if the Priority in the ADVERTISEMENT is equal to the local Priority and the
// primary IP Address of the sender is greater than the local primary IP
// Address, then: Cancel Adver_Timer; set Master_Down_Timer to
// Master_Down_Interval; transition to the {Backup} state."
// Reference: RFC 3768 §6.4.3, RFC 9568 §6.4.3.
func TestMasterYields(t *testing.T) {
	for _, test := range []struct {
		name     string
		priority uint8
		source   netip.Addr
	}{
		{"higher priority", 101, highAddr},
		{"higher priority, lower address", 101, lowAddr},
		{"owner", 255, lowAddr},
		{"equal priority, higher address", 100, highAddr},
		{"equal priority, address higher by one", 100, ownAddr.Next()},
	} {
		t.Run(test.name, func(t *testing.T) {
			both(t, func(t *testing.T, version uint8) {
				r := newRig(t, version, nil)
				at := r.master()
				r.now = at + 400*time.Millisecond
				r.want("advert", r.receive(test.priority, test.source), "mute", "MASTER -> BACKUP")
				r.wantState(Backup, true)
				heard := r.now
				r.want("linger", r.elapse(heard+linger), "release")
				r.wantState(Backup, false)
				r.wantDeadline(heard + down100) // and no Adver_Timer before
			})
		})
	}
}

// "... based on an unsigned integer comparison of the IPvX addresses in network
// byte order." Reference: RFC 9568 §6.4.3.
func TestMasterYieldsUnsigned(t *testing.T) {
	for _, test := range []struct {
		own, other string
		yields     bool
	}{
		{"10.0.0.1", "192.0.2.1", true}, // the top bit is no sign
		{"192.0.2.1", "10.0.0.1", false},
		{"10.0.0.9", "10.0.0.10", true}, // numbers, not text
		{"10.0.1.0", "10.0.0.255", false},
		{"fe80::1", "fe80::ffff:0:0:0", true},
		{"fe80::8000:0:0:0", "fe80::1", false},
	} {
		own, other := netip.MustParseAddr(test.own), netip.MustParseAddr(test.other)
		r := newRig(t, 3, func(c *Config) {
			c.Family = FamilyOf(own)
			c.Addresses = addresses(c.Family, 1)
		})
		r.event(Primary{own})
		r.master()
		r.receive(100, other)
		if yields := r.g.Member(0).State() == Backup; yields != test.yields {
			t.Errorf("%v as MASTER hears %v: yields %v, want %v", own, other, yields, test.yields)
		}
	}
}

// "Set the Active_Adver_Interval to the Max Advertise Interval contained in the
// ADVERTISEMENT": who yields learns too. Reference: RFC 9568 §6.4.3.
func TestMasterYieldsAndLearns(t *testing.T) {
	r := newRig(t, 3, nil)
	r.master()
	r.receiveInterval(200, highAddr, 10*time.Second)
	heard := r.now
	r.elapse(heard + linger)
	r.wantDeadline(heard + 10*down100)
}

// "else: Discard the ADVERTISEMENT; send an ADVERTISEMENT immediately to assert
// the {Active} state to the sending VRRP Router and to update any learning
// bridges." Reference: RFC 9568 §6.4.3. RFC 3768 §6.4.3 only discards; the
// advert does no harm there, and heals as fast. The Adver_Timer starts anew, so
// that there are not two adverts in a row.
func TestMasterAsserts(t *testing.T) {
	for _, test := range []struct {
		name     string
		priority uint8
		source   netip.Addr
	}{
		{"lower priority", 99, highAddr},
		{"equal priority, lower address", 100, lowAddr},
	} {
		t.Run(test.name, func(t *testing.T) {
			both(t, func(t *testing.T, version uint8) {
				r := newRig(t, version, nil)
				at := r.master()
				r.now = at + 400*time.Millisecond
				got := r.receive(test.priority, test.source)
				r.want("advert", got[:2], "send priority=100", "announce")
				r.wantDeadline(r.now + time.Second)
				r.wantState(Master, true)
				// A rival that goes on is answered every time; neighbours are
				// mended once.
				r.now += 500 * time.Millisecond
				r.want("advert again", r.receive(test.priority, test.source), "send priority=100")
			})
		})
	}
}
