package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// unhurried is an interval at which a new binary is in time on a busy machine too:
// these tests are not about that.
const unhurried = 5 * fast

// A tally is what of a director's status only grows.
type tally struct {
	VRRP []struct {
		Name     string `json:"name"`
		Counters struct {
			Since        time.Time         `json:"since"`
			Sent         uint64            `json:"adverts_sent"`
			Received     uint64            `json:"adverts_received"`
			Stops        uint64            `json:"priority0_sent"`
			Transitions  uint64            `json:"transitions"`
			BecameMaster uint64            `json:"became_master"`
			Announced    uint64            `json:"announcements_sent"`
			Dropped      map[string]uint64 `json:"dropped"`
		} `json:"counters"`
	} `json:"vrrp"`
	Dropped     map[string]uint64 `json:"dropped"`
	UnknownVRID uint64            `json:"unknown_vrid"`
}

func tallied(t *testing.T, d *lab.Daemon) tally {
	t.Helper()
	var s tally
	if err := d.StatusInto(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// goesOn fails the test if a later tally has less than an earlier one.
func (s tally) goesOn(t *testing.T, later tally) {
	t.Helper()
	for i, before := range s.VRRP {
		b, a := before.Counters, later.VRRP[i].Counters
		if !a.Since.Equal(b.Since) || a.Sent < b.Sent || a.Received < b.Received || a.Stops < b.Stops || a.Announced < b.Announced ||
			a.Transitions != b.Transitions || a.BecameMaster != b.BecameMaster || fmt.Sprint(a.Dropped) != fmt.Sprint(b.Dropped) {
			t.Errorf("%s: before the upgrade %+v, after it %+v", before.Name, b, a)
		}
	}
	if fmt.Sprint(later.Dropped) != fmt.Sprint(s.Dropped) || later.UnknownVRID != s.UnknownVRID {
		t.Errorf("dropped: before the upgrade %v and %d, after it %v and %d", s.Dropped, s.UnknownVRID, later.Dropped, later.UnknownVRID)
	}
}

// caughtUp waits until a follower has read as far as the journal goes, compares, and
// returns what it read.
func caughtUp(t *testing.T, f *lab.Follower, whole lab.Journal) lab.Journal {
	t.Helper()
	var read lab.Journal
	lab.Wait(t, 20*time.Second, "the follower reads on", func() (string, bool) {
		var err error
		read, err = f.Read()
		return fmt.Sprint(read, err), err == nil && read.Last() == whole.Last()
	})
	if diff := cmp.Diff(whole, read); diff != "" {
		t.Errorf("the follower did not read the journal (-want +got):\n%s", diff)
	}
	return read
}

// mistreat has a director hear adverts that are for nobody, and such as are broken.
func mistreat(t *testing.T, p *lab.Pair, d *lab.Daemon) {
	t.Helper()
	wire := p.Router.Wires["eth0"]
	broken := wire.VRRPv3(lab.RouterIP, 51, 1, fast, lab.VIP)
	broken[len(broken)-1] ^= 1 // an address, which the checksum does not fit any more
	for _, frame := range [][]byte{wire.VRRPv3(lab.RouterIP, 77, 1, fast, "10.0.0.77"), broken} {
		defer wire.Repeat(frame, 10*time.Millisecond)()
	}
	lab.Wait(t, 20*time.Second, "adverts that are not heeded", func() (string, bool) {
		s := tallied(t, d)
		return fmt.Sprint(s), s.UnknownVRID > 0 && s.Dropped["checksum"] > 0 && s.VRRP[0].Counters.Dropped["checksum"] > 0
	})
}

// An upgrade is an event in the journal. Earlier events keep their numbers, followers
// read on, and no counter goes back.
func TestUpgradeKeepsJournal(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := installed(t, p, unhurried)
	d := daemons[0]
	for _, giver := range daemons {
		giver.AwaitState(t, "MASTER")
		obeyed(t, giver, "handover")
	}
	d.AwaitState(t, "MASTER")
	mistreat(t, p, d)
	deleteVIP(t, p.Directors[0])
	lab.Wait(t, repaired, "repair", func() (string, bool) { return deviceServes(p.Directors[0]) })
	follower := d.Follow()
	others := mark(t, daemons[1])
	for range 2 {
		before, counted := events(t, d, 0), tallied(t, d)
		if len(before.Transitions()) < 6 || len(before.Of("repair")) == 0 {
			t.Fatalf("the journal before the upgrade is so poor that it tests nothing:\n%v", before)
		}
		caughtUp(t, follower, before)
		obeyed(t, d, "upgrade")
		after := events(t, d, 0)
		counted.goesOn(t, tallied(t, d))
		if n := len(before); len(after) < n {
			t.Fatalf("of %d events %d are left", n, len(after))
		} else if diff := cmp.Diff(before, after[:n]); diff != "" {
			t.Errorf("before the upgrade, and after it (-want +got):\n%s", diff)
		}
		caughtUp(t, follower, after)
		news := events(t, d, before.Last())
		if told := news.Of("director"); len(told) != 1 || told[0].Seq <= before.Last() || told[0].From == "" || told[0].From != told[0].To || told[0].Reason != "upgraded" {
			t.Errorf("of the upgrade the journal says:\n%v", news)
		}
		stayed(t, "the upgraded director", d, before.Last())
	}
	stayed(t, "the other director", daemons[1], others)
}

var addedCursors = regexp.MustCompile(`,"cursor":"[^"]*"`)

// smallDisk mounts a file system of 64 pages where a director has its runtime
// directory. leave fills it until so many pages are free.
func smallDisk(t *testing.T, dir string) (leave func(pages int64)) {
	t.Helper()
	page := int64(os.Getpagesize())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("small", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=755", 64*page)); err != nil {
		t.Fatalf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(pages int64) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, "filler"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		size := int64(0)
		for ; err == nil; size += page {
			_, err = f.Write(make([]byte, page))
		}
		if err := f.Truncate(size - page - pages*page); err != nil {
			t.Fatal(err)
		}
	}
}

// A disk without room for the journal, or with just enough, stops no upgrade and
// costs nothing else: the numbers go on, and followers are told of the gap.
func TestUpgradeWithoutRoomForJournal(t *testing.T) {
	p := lab.NewPair(t, 2)
	leave := smallDisk(t, p.Directors[0].NewDaemon("").RuntimeDir())
	// The file of events would take the room of what an upgrade needs.
	daemons := installedWith(t, p, unhurried, "journal = \"off\"\n")
	d := daemons[0]
	v := keepVigil(t, p)
	follower := d.Follow()
	others := mark(t, daemons[1])
	var gone lab.Journal // from the journal, and read before
	for i, what := range []string{"no room for the journal", "room for the journal or the state"} {
		for range 120 { // the journal is larger than the state
			if err := d.Reload(); err != nil {
				t.Fatal(err)
			}
		}
		before := events(t, d, 0)
		read := caughtUp(t, follower, slices.Concat(gone, before))
		text, _, err := d.CLI("events", "--json")
		if err != nil {
			t.Fatal(err)
		}
		kept := addedCursors.ReplaceAllString(text, "") // the daemon adds them to an answer
		room := int64(len(kept)) / int64(os.Getpagesize())
		leave(room + int64(i)) // the journal needs one page more than room
		obeyed(t, d, "upgrade")
		if log := d.LogText(); strings.Count(log, "the new binary will not know the journal") != i+1 {
			t.Errorf("%s: the log does not say of the loss:\n%s", what, log)
		}
		if i == 1 && !strings.Contains(d.LogText(), "its place is needed") {
			t.Errorf("%s: the journal gave no room for the state:\n%s", what, d.LogText())
		}
		leave(32)
		news := events(t, d, 0)
		if len(news.Of("director")) != 1 || len(news.Transitions()) > 0 || news[0].Seq != before.Last()+1 {
			t.Fatalf("%s: after number %d the journal is:\n%v", what, before.Last(), news)
		}
		gone = read
		caughtUp(t, follower, slices.Concat(gone, news))
		if late := events(t, d, before.Last()-1); late[0].Kind != "lost" || !strings.Contains(late[0].Reason, "1 events were lost") {
			t.Errorf("%s: of what is lost the journal says:\n%v", what, late)
		}
	}
	before := events(t, d, 0)
	obeyed(t, d, "upgrade")
	if whole := events(t, d, 0); whole[0].Seq != before[0].Seq || len(whole.Of("director")) != 2 {
		t.Errorf("the next upgrade lost something:\n%v", whole)
	}
	stayed(t, "the other director", daemons[1], others)
	v.end(t)
}

// An upgrade that fails at its last step is an event too, and followers read on.
func TestFailedUpgradeIsAnEvent(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := installed(t, p, unhurried)
	d := daemons[0]
	v := keepVigil(t, p)
	follower := d.Follow()
	own, others := mark(t, d), mark(t, daemons[1])
	good := filepath.Join(p.Dir(), "good")
	if err := os.Link(d.Binary(), good); err != nil {
		t.Fatal(err)
	}
	d.Install(p.WriteFile("fleeting", "#!/bin/sh\nrm \"$0\"\n")) // accepts the configuration, and is gone
	if complaint := refused(t, d.As(good), "upgrade"); !strings.Contains(complaint, "the upgrade failed: run ") {
		t.Errorf("upgrade says %q", complaint)
	}
	d.Install(good)
	news := events(t, d, own)
	if told := news.Of("director"); len(told) != 1 || !strings.Contains(told[0].Reason, "the upgrade failed: run ") {
		t.Errorf("of the upgrade the journal says:\n%v", news)
	}
	stayed(t, "the director", d, own)
	stayed(t, "the other director", daemons[1], others)
	caughtUp(t, follower, events(t, d, 0))
	if left, err := filepath.Glob(filepath.Join(d.RuntimeDir(), "*.json")); err != nil || slices.ContainsFunc(left, func(path string) bool {
		return strings.HasSuffix(path, "history.json") || strings.HasSuffix(path, "upgrade.json")
	}) {
		t.Errorf("left in the runtime directory: %v, %v", left, err)
	}
	v.end(t)
}
