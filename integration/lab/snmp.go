package lab

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"holdfast/integration/tools"
)

// snmpSettings keep Net-SNMP's programs from reading and writing the machine's
// folders. Names are numbers to them.
func (h *Host) snmpSettings() []string {
	h.lab.t.Helper()
	empty := filepath.Dir(h.lab.WriteFile(h.Name+"-snmp/empty", ""))
	return []string{"SNMPCONFPATH=" + empty, "SNMP_PERSISTENT_DIR=" + empty, "MIBS="}
}

// AgentX is where the host's SNMP agent awaits those that extend it.
func (h *Host) AgentX() string { return filepath.Join(h.lab.dir, h.Name+"-agentx") }

// SNMPAgent starts Net-SNMP's snmpd on a host and waits until it answers. The
// community "public" may read, "private" may write. Its traps go to the host
// itself.
func (h *Host) SNMPAgent() *Process {
	h.lab.t.Helper()
	config := h.lab.WriteFile(h.Name+"-snmpd.conf", fmt.Sprintf(`master agentx
agentXSocket unix:%s
rocommunity public 127.0.0.1
rwcommunity private 127.0.0.1
trap2sink 127.0.0.1:162 public
dontLogTCPWrappersConnects yes
`, h.AgentX()))
	p := h.startSNMP("snmpd", "-f", "-Lo", "-C", "-c", config, "udp:127.0.0.1:161")
	Wait(h.lab.t, 20*time.Second, "an answer of "+h.Name+"'s snmpd", func() (string, bool) {
		out, err := h.SNMP("snmpwalk", "public", "1.3.6.1.2.1.1.3")
		return out, err == nil
	})
	return p
}

// TrapReader starts Net-SNMP's snmptrapd on a host. What it gets is in its log, a
// line each. Start it before the agent, which may send a trap at once. lines are further
// ones of its configuration.
func (h *Host) TrapReader(lines ...string) *Process {
	h.lab.t.Helper()
	config := h.lab.WriteFile(h.Name+"-snmptrapd.conf", "disableAuthorization yes\nformat2 trap %v\\n\n"+strings.Join(append(lines, ""), "\n"))
	p := h.startSNMP("snmptrapd", "-f", "-Lo", "-n", "-C", "-c", config, "-Onqe", "-Ox", "udp:127.0.0.1:162")
	Wait(h.lab.t, 20*time.Second, h.Name+"'s snmptrapd", func() (string, bool) {
		return p.LogText(), strings.Contains(p.LogText(), "NET-SNMP version")
	})
	return p
}

// SNMP runs one of Net-SNMP's programs against the host's agent: "snmpwalk",
// with a community and an object, and more where the program takes it. Answers
// are lines of a name and a value, all in numbers.
func (h *Host) SNMP(program string, args ...string) (string, error) {
	h.lab.t.Helper()
	all := append(h.snmpSettings(), h.find(program), "-v2c", "-t", "1", "-r", "20", "-Onqte", "-Ox", "-c", args[0], "127.0.0.1:161")
	return h.Try("env", append(all, args[1:]...)...)
}

func (h *Host) startSNMP(program string, args ...string) *Process {
	h.lab.t.Helper()
	p, err := h.start(h.Name+"-"+program, "env", append(append(h.snmpSettings(), h.find(program)), args...))
	if err != nil {
		h.lab.t.Fatalf("host %s: start %s: %v", h.Name, program, err)
	}
	return p
}

func (h *Host) find(program string) string {
	h.lab.t.Helper()
	path, err := tools.Find(program)
	if err != nil {
		h.lab.t.Fatalf("host %s: %v", h.Name, err)
	}
	return path
}
