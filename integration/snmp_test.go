package integration_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// vrrpMIB is vrrpv3MIB (RFC 6527).
const vrrpMIB = ".1.3.6.1.2.1.207."

// snmpStatus is the part of `holdfast status --json` that the MIB shows.
type snmpStatus struct {
	Now         time.Time         `json:"now"`
	Started     time.Time         `json:"started"`
	Dropped     map[string]uint64 `json:"dropped"`
	UnknownVRID uint64            `json:"unknown_vrid"`
	VRRP        []snmpInstance    `json:"vrrp"`
	SNMP        *struct {
		Connected bool   `json:"connected"`
		Sent      uint64 `json:"traps_sent"`
		Queued    int    `json:"traps_queued"`
	} `json:"snmp"`
}

type snmpInstance struct {
	Name      string                   `json:"name"`
	Interface string                   `json:"interface"`
	MAC       string                   `json:"mac"`
	Family    string                   `json:"family"`
	VRID      int                      `json:"vrid"`
	State     string                   `json:"state"`
	UpSince   time.Time                `json:"up_since"`
	Takeover  string                   `json:"takeover"`
	Priority  int                      `json:"effective_priority"`
	Interval  float64                  `json:"interval_ms"`
	Preempt   bool                     `json:"preempt"`
	Refused   bool                     `json:"refused"`
	Addresses []string                 `json:"addresses"`
	Excluded  []string                 `json:"excluded"`
	Source    string                   `json:"source"`
	Master    struct{ Address string } `json:"master"`
	Counters  struct {
		Received     uint64 `json:"adverts_received"`
		StopSent     uint64 `json:"priority0_sent"`
		StopReceived uint64 `json:"priority0_received"`
		BecameMaster uint64 `json:"became_master"`
		LastError    string `json:"last_error"`
	} `json:"counters"`
}

func snmpStatusOf(d *lab.Daemon) (s snmpStatus, err error) {
	stdout, stderr, err := d.CLI("status", "--json")
	if stdout == "" && err != nil {
		return s, fmt.Errorf("%w: %s", err, stderr)
	}
	return s, json.Unmarshal([]byte(stdout), &s)
}

// hexOf is how Net-SNMP writes a string of bytes.
func hexOf(b []byte) string { return strings.ToUpper(fmt.Sprintf(`"% x "`, b)) }

func hexAddress(t *testing.T, text string) string {
	t.Helper()
	a, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return hexOf(a.AsSlice())
}

func truthValue(b bool) string { return map[bool]string{true: "1", false: "2"}[b] }

// expected is what the tables must show of a status, by the names behind
// vrrpMIB, counters and times apart; rows are the indexes of the instances.
func expected(t *testing.T, h *lab.Host, s *snmpStatus) (want map[string]string, rows map[string]string) {
	t.Helper()
	want, rows = map[string]string{}, map[string]string{}
	for i := range s.VRRP {
		in := &s.VRRP[i]
		family := map[string]int{"ipv4": 1, "ipv6": 2}[in.Family]
		row := fmt.Sprintf("%d.%d.%d", h.IfIndex(in.Interface), in.VRID, family)
		rows[in.Name] = row
		master := in.Master.Address
		switch {
		case in.State == "MASTER":
			master = in.Source
		case master == "": // nobody was heard
			master = map[string]string{"ipv4": "0.0.0.0", "ipv6": "::"}[in.Family]
		}
		mac, err := net.ParseMAC(in.MAC)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, text := range in.Addresses {
			if strings.Contains(strings.Join(in.Excluded, " "), text) {
				continue
			}
			count++
			name := "1.1.2.1.2." + row + "."
			b := netip.MustParsePrefix(text).Addr().AsSlice()
			name += strconv.Itoa(len(b))
			for _, n := range b {
				name += fmt.Sprintf(".%d", n)
			}
			want[name] = "1"
		}
		for column, value := range map[int]string{
			3: hexAddress(t, master), 4: hexAddress(t, in.Source), 5: hexOf(mac),
			6: map[string]string{"BACKUP": "2", "MASTER": "3", "FAULT": "1"}[in.State],
			7: strconv.Itoa(in.Priority), 8: strconv.Itoa(count), 9: strconv.Itoa(int(in.Interval / 10)),
			10: truthValue(in.Preempt), 11: truthValue(!in.Refused), 13: "1",
		} {
			want[fmt.Sprintf("1.1.1.1.%d.%s", column, row)] = value
		}
		for column, value := range map[int]string{
			1: strconv.FormatUint(in.Counters.BecameMaster, 10),
			2: map[string]string{"": "0", "priority": "1", "preempted": "2", "no_response": "3"}[in.Takeover],
			7: strconv.FormatUint(in.Counters.StopReceived, 10), 8: strconv.FormatUint(in.Counters.StopSent, 10),
			6: map[string]string{"": "0", "hop_limit": "1", "version": "2", "checksum": "3"}[in.Counters.LastError],
			4: "0", 5: "0", 9: "0", 10: "0", 11: "0", 13: "1000",
		} {
			want[fmt.Sprintf("1.2.5.1.%d.%s", column, row)] = value
		}
	}
	want["1.2.1.0"] = strconv.FormatUint(s.Dropped["checksum"], 10)
	want["1.2.2.0"] = strconv.FormatUint(s.Dropped["version"], 10)
	want["1.2.3.0"] = strconv.FormatUint(s.UnknownVRID, 10)
	return want, rows
}

// walked is a walk of the MIB. That names come in order is what the program
// itself insists on.
func walked(h *lab.Host, program string) (map[string]string, []string, error) {
	out, err := h.SNMP(program, "public", strings.TrimSuffix(vrrpMIB, "."))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	values := map[string]string{}
	var names []string
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(name, vrrpMIB) && !strings.HasPrefix(value, "No ") {
			values[strings.TrimPrefix(name, vrrpMIB)] = value
			names = append(names, name)
		}
	}
	return values, names, nil
}

// awaitMIB waits until a walk shows what the status says. The tables may be
// a second old.
func awaitMIB(t *testing.T, h *lab.Host, d *lab.Daemon) map[string]string {
	t.Helper()
	var got map[string]string
	first, err := snmpStatusOf(d)
	if err != nil {
		t.Fatal(err)
	}
	lab.Wait(t, 60*time.Second, h.Name+"'s tables tell what the status tells", func() (string, bool) {
		var names []string
		got, names, err = walked(h, "snmpwalk")
		if err != nil {
			return err.Error(), false
		}
		after, err := snmpStatusOf(d)
		if err != nil {
			return err.Error(), false
		}
		want, rows := expected(t, h, &after)
		times := 0
		for i := range after.VRRP {
			in, row := &after.VRRP[i], rows[after.VRRP[i].Name]
			received, _ := strconv.ParseUint(got["1.2.5.1.3."+row], 10, 64)
			if received < first.VRRP[i].Counters.Received || received > in.Counters.Received {
				return fmt.Sprintf("%s: %d adverts received, not %d to %d", in.Name, received, first.VRRP[i].Counters.Received, in.Counters.Received), false
			}
			up, _ := strconv.Atoi(got["1.1.1.1.12."+row])
			if most := int(after.Now.Sub(in.UpSince) / (10 * time.Millisecond)); up < 1 || up > most+1 {
				return fmt.Sprintf("%s: up for %d of %d ticks", in.Name, up, most), false
			}
			if _, ok := got["1.2.5.1.12."+row]; !ok {
				return "no discontinuity time", false
			}
			times += 3 // these
		}
		if len(names) != len(want)+times+1 { // vrrpv3GlobalStatisticsDiscontinuityTime
			return fmt.Sprintf("%d objects, want %d: %v", len(names), len(want)+times+1, got), false
		}
		for name, value := range want {
			if got[name] != value {
				return fmt.Sprintf("%s is %s, want %s", name, got[name], value), false
			}
		}
		return "", true
	})
	return got
}

// trap is what snmptrapd writes of a notification of ours.
func trap(number int, objects ...string) string {
	return ".1.3.6.1.6.3.1.1.4.1.0 " + vrrpMIB + "0." + strconv.Itoa(number) + "\t" + strings.Join(objects, "\t")
}

func awaitTrap(t *testing.T, p *lab.Process, want string) {
	t.Helper()
	lab.Wait(t, 30*time.Second, "trap "+want, func() (string, bool) {
		text := p.LogText()
		return text, strings.Contains(text, want)
	})
}

// SNMP managers see the virtual routers through the hosts' agents, and get a
// notification of a new MASTER.
func TestSNMP(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	config := func(h *lab.Host, priority int) string {
		return fmt.Sprintf("snmp = { agentx = %q }\n", h.AgentX()) + fmt.Sprintf(`
[[vrrp]]
name = "four"
interface = "eth0"
vrid = 51
priority = %[1]d
interval = "200ms"
addresses = ["10.0.0.101/24", "10.0.0.100/24"]
excluded_addresses = ["10.0.0.102/24", "2001:db8:a::102/64"]
[[vrrp]]
name = "six"
interface = "eth0"
vrid = 51
priority = %[1]d
interval = "200ms"
preempt = false
accept = false
addresses = ["fe80::5e:51", "2001:db8:a::100/64"]
[[vrrp]]
name = "old"
interface = "eth1"
vrid = 252
version = 2
priority = %[1]d
interval = "1s"
addresses = ["192.168.0.254/24"]
`, priority)
	}
	var daemons []*lab.Daemon
	var agents, readers []*lab.Process
	for i, h := range p.Directors {
		readers = append(readers, h.TrapReader())
		agents = append(agents, h.SNMPAgent())
		daemons = append(daemons, h.Holdfast(config(h, 200-50*i)))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	for i, h := range p.Directors {
		got := awaitMIB(t, h, daemons[i])
		if got["1.2.4.0"] == "0" { // the agent was there before
			t.Errorf("%s: the counters began %s ticks after the agent", h.Name, got["1.2.4.0"])
		}
		_, names, err := walked(h, "snmpwalk")
		_, bulk, bulkErr := walked(h, "snmpbulkwalk")
		if err != nil || bulkErr != nil || strings.Join(names, "\n") != strings.Join(bulk, "\n") {
			t.Errorf("%s: %v, %v: a walk of %d, in bulk of %d", h.Name, err, bulkErr, len(names), len(bulk))
		}
	}

	t.Run("is read only", func(t *testing.T) {
		h := p.Directors[1]
		priority := fmt.Sprintf("%s1.1.1.1.7.%d.51.1", vrrpMIB, h.IfIndex("eth0"))
		out, err := h.SNMP("snmpset", "private", priority, "u", "3")
		if err == nil || !strings.Contains(out, "notWritable") {
			t.Errorf("set: %v\n%s", err, out)
		}
	})

	t.Run("protocol errors", func(t *testing.T) {
		wire := p.Host("stranger").Plug(p.Outside, "eth0", "10.0.0.66/24")
		frame := wire.VRRPv3("10.0.0.66", 51, 50, 200*time.Millisecond, "10.0.0.100")
		frame[14+20+6] ^= 0xff // the checksum
		defer wire.Repeat(frame, 100*time.Millisecond)()
		defer wire.Repeat(wire.VRRPv3("10.0.0.66", 77, 50, 200*time.Millisecond, "10.0.0.77"), 100*time.Millisecond)()
		h := p.Directors[1]
		row := fmt.Sprintf("%d.51.1", h.IfIndex("eth0"))
		awaitTrap(t, readers[1], trap(2, vrrpMIB+"1.2.5.1.6."+row+" 3"))
		lab.Wait(t, 30*time.Second, "the errors in the tables", func() (string, bool) {
			got, _, err := walked(h, "snmpwalk")
			return fmt.Sprint(err, got), err == nil && got["1.2.1.0"] != "0" && got["1.2.3.0"] != "0" && got["1.2.5.1.6."+row] == "3"
		})
		if n := strings.Count(readers[1].LogText(), vrrpMIB+"0.2"); n > 2 { // one a minute
			t.Errorf("%d traps of errors", n)
		}
	})

	t.Run("failover", func(t *testing.T) {
		p.Directors[0].PowerCut()
		daemons[1].AwaitState(t, "MASTER")
		s, err := snmpStatusOf(daemons[1])
		if err != nil {
			t.Fatal(err)
		}
		_, rows := expected(t, p.Directors[1], &s)
		for _, in := range s.VRRP {
			awaitTrap(t, readers[1], trap(1, vrrpMIB+"1.1.1.1.3."+rows[in.Name]+" "+hexAddress(t, in.Source), vrrpMIB+"1.2.5.1.2."+rows[in.Name]+" 3"))
		}
		lab.Wait(t, 30*time.Second, "the new state in the tables", func() (string, bool) {
			got, _, err := walked(p.Directors[1], "snmpwalk")
			return fmt.Sprint(err), err == nil && got["1.1.1.1.6."+rows["four"]] == "3" && got["1.2.5.1.1."+rows["four"]] == "1"
		})
	})

	t.Run("the agent restarts", func(t *testing.T) {
		h, d := p.Directors[1], daemons[1]
		connected := func(want bool) {
			t.Helper()
			lab.Wait(t, 60*time.Second, fmt.Sprintf("connected: %v", want), func() (string, bool) {
				s, err := snmpStatusOf(d)
				return fmt.Sprint(err), err == nil && s.SNMP.Connected == want
			})
		}
		told := func() (lost, met int) {
			log := d.LogText()
			return strings.Count(log, "no connection to the SNMP master agent"), strings.Count(log, "connected to the SNMP master agent")
		}
		connected(true)
		lost, met := told()
		agents[1].Stop()
		connected(false)
		if out, _, err := d.CLI("status"); err == nil || !strings.Contains(out, "UNWELL: snmp: not connected to "+h.AgentX()) {
			t.Errorf("status without the agent: %v\n%s", err, out)
		}
		h.SNMPAgent()
		connected(true)
		lab.Wait(t, 30*time.Second, "a walk", func() (string, bool) {
			got, _, err := walked(h, "snmpwalk")
			// What was before the agent was started is 0 to it.
			return fmt.Sprint(err, got), err == nil && len(got) > 60 && got["1.2.4.0"] == "0"
		})
		if l, m := told(); l != lost+1 || m != met+1 {
			t.Errorf("told %d times that it is gone and %d times that it is there", l-lost, m-met)
		}
	})

	t.Run("upgrade", func(t *testing.T) {
		h, d := p.Directors[1], daemons[1]
		before, err := snmpStatusOf(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, stderr, err := d.CLI("upgrade"); err != nil {
			t.Fatalf("%v: %s", err, stderr)
		}
		row := fmt.Sprintf("%d.51.1", h.IfIndex("eth0"))
		lab.Wait(t, 60*time.Second, "the tables of the new binary", func() (string, bool) {
			s, err := snmpStatusOf(d)
			if err != nil || !s.Started.After(before.Started) {
				return fmt.Sprint(err, s.Started), false
			}
			got, _, err := walked(h, "snmpwalk")
			return fmt.Sprint(err, got), err == nil && len(got) > 60 && got["1.2.5.1.12."+row] == "0" // counts on since before the agent was started
		})
		got := awaitMIB(t, h, d)
		if up, _ := strconv.Atoi(got["1.1.1.1.12."+row]); up < int(before.Now.Sub(before.VRRP[0].UpSince)/(10*time.Millisecond)) || got["1.2.5.1.2."+row] != "3" {
			t.Errorf("after the upgrade: up for %d ticks, a MASTER for reason %s", up, got["1.2.5.1.2."+row])
		}
	})

	t.Run("reload", func(t *testing.T) {
		h, d := p.Directors[1], daemons[1]
		on := config(h, 150)
		_, off, _ := strings.Cut(on, "\n")
		for _, text := range []string{off, on} {
			d.Configure(text)
			if err := d.Reload(); err != nil {
				t.Fatal(err)
			}
			lab.Wait(t, 30*time.Second, "the tables come and go", func() (string, bool) {
				s, err := snmpStatusOf(d)
				got, _, walkErr := walked(h, "snmpwalk")
				return fmt.Sprint(err, walkErr, len(got)), err == nil && walkErr == nil && (s.SNMP != nil) == (text == on) && (len(got) > 60) == (text == on)
			})
		}
	})
}
