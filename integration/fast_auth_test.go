package integration_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

const (
	secretHMAC = "auth = { type = \"hmac\", keys = [{ id = 1, secret = \"0123456789abcdef0123456789abcdef\" }] }\n"
	secretAH   = "auth = { type = \"ah\", secret = \"secret\" }\n"
)

// BACKUP ADVERTISEMENTS are authenticated as adverts are, in one row of sequence numbers
// with them, also after an upgrade: none is refused, and the MASTER is replaced at once.
// With unicast they go from peer to peer.
func TestFastAuthenticated(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	kinds := []struct {
		name    string
		version int
		lines   string
	}{{"hmac", 3, secretHMAC}, {"ah", 2, secretAH}, {"password", 2, "auth = { type = \"password\", secret = \"secret\" }\n"}, {"unicast", 3, "unicast = true\npeers = [\"10.0.0.%d\"]\n" + secretHMAC}}
	var d [2]*lab.Daemon
	for i, host := range p.Directors {
		var config strings.Builder
		config.WriteString(patientSessions)
		for j, k := range kinds {
			lines := k.lines
			if strings.Contains(lines, "%d") {
				lines = fmt.Sprintf(lines, 3-i)
			}
			fmt.Fprintf(&config, "[[vrrp]]\nname = %q\ninterface = \"eth0\"\nvrid = %d\nversion = %d\npriority = %d\nfast = true\naddresses = [\"10.0.0.%d/24\"]\n%s",
				k.name, 60+j, k.version, 200-100*i, 110+j, lines)
		}
		d[i] = host.Holdfast(config.String())
		d[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	awaitArmed(t, d[1])
	questions := p.Router.Wires["eth0"].Capture()
	for _, one := range d {
		if _, stderr, err := one.CLI("upgrade"); err != nil {
			t.Fatalf("upgrade: %v %s", err, stderr)
		}
	}
	awaitArmed(t, d[1])
	checkNothingRefused(t, d[0])
	p.Directors[0].PowerCut()
	d[1].AwaitState(t, "MASTER")
	checkReplacedAtOnce(t, d[1], len(kinds))
	questions.Await(t, 10*time.Second, "questions to all in three forms", 3, isQuestion)
	checkNothingRefused(t, d[1])
}

// checkNothingRefused checks that a director has accepted all that it heard.
func checkNothingRefused(t *testing.T, d *lab.Daemon) {
	t.Helper()
	s, err := d.Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.VRRP {
		if len(v.Counters.Dropped) > 0 {
			t.Errorf("%s: refused %v", v.Name, v.Counters.Dropped)
		}
	}
}

// isQuestion matches VRRP packets of type 2 to the group, also behind an authentication
// header.
func isQuestion(f lab.Frame) bool {
	const ip = 14
	b := f.Bytes
	if len(b) < ip+60 || binary.BigEndian.Uint16(b[12:]) != 0x0800 || b[ip+16] != 224 {
		return false
	}
	at := ip + int(b[ip]&0xf)*4
	if b[ip+9] == 51 { // AH
		at += (int(b[at+1]) + 2) * 4
	} else if b[ip+9] != 112 {
		return false
	}
	return len(b) > at && b[at]&0xf == 2
}

// checkReplacedAtOnce checks that a director became MASTER of n virtual routers because
// the session with the former one was over, and not because adverts were missing.
func checkReplacedAtOnce(t *testing.T, d *lab.Daemon, n int) {
	t.Helper()
	all := events(t, d, 0)
	took := 0
	for _, e := range all.Of("instance") {
		if e.To != "MASTER" {
			continue
		}
		took++
		if !strings.Contains(e.Reason, "its BFD session timed out") {
			t.Errorf("%s took over because: %s", e.Subject, e.Reason)
		}
	}
	if took != n {
		t.Errorf("%d virtual routers became MASTER, want %d:\n%v", took, n, all)
	}
}
