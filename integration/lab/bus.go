package lab

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"holdfast/integration/tools"
)

// A Bus is a D-Bus daemon on a host, with the rules of a system bus: owning a name
// or calling a method needs a policy that allows it.
type Bus struct {
	Address string // in D-Bus's notation
	host    *Host
	socket  string
	config  string
	daemon  *Process
}

// Bus starts a bus with the policy of a file.
func (h *Host) Bus(policy string) *Bus {
	h.lab.t.Helper()
	policy, err := filepath.Abs(policy)
	if err == nil {
		_, err = os.Stat(policy)
	}
	if err != nil {
		h.lab.t.Fatalf("find the policy: %v", err)
	}
	b := &Bus{host: h, socket: filepath.Join(h.lab.dir, h.Name+"-bus")}
	b.Address = "unix:path=" + b.socket
	b.config = h.lab.WriteFile(h.Name+"-bus.conf", strings.NewReplacer("ADDRESS", b.Address, "POLICY", policy).Replace(
		`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>ADDRESS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>POLICY</include>
</busconfig>
`))
	b.Start()
	return b
}

// Start starts the bus, after a crash again.
func (b *Bus) Start() {
	b.host.lab.t.Helper()
	_ = os.Remove(b.socket)
	b.daemon = b.host.Start("dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", "--config-file="+b.config)
	Wait(b.host.lab.t, 10*time.Second, "the bus", func() (string, bool) {
		out, err := b.Call("org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetId")
		return out, err == nil
	})
}

// Crash kills the bus.
func (b *Bus) Crash() { b.daemon.Crash() }

// Freeze makes the bus hang.
func (b *Bus) Freeze() { b.daemon.Signal(syscall.SIGSTOP) }

// Call calls a method and returns the answer as dbus-send shows it.
func (b *Bus) Call(name, path, method string, args ...string) (string, error) {
	return b.host.Try("dbus-send", b.send(name, path, method, args)...)
}

// CallAsNobody calls a method as a user without rights.
func (b *Bus) CallAsNobody(name, path, method string, args ...string) (string, error) {
	// Only root may be able to reach the socket and the program.
	program, err := tools.Find("dbus-send")
	if err != nil {
		return "", err
	}
	return b.host.Try("setpriv", append([]string{"--reuid=65534", "--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
		program}, b.send(name, path, method, args)...)...)
}

func (b *Bus) send(name, path, method string, args []string) []string {
	return append([]string{"--bus=" + b.Address, "--dest=" + name, "--print-reply=literal", "--reply-timeout=25000", path, method}, args...)
}

// Monitor writes every signal into the process's log until the bus ends.
func (b *Bus) Monitor() *Process {
	b.host.lab.t.Helper()
	p := b.host.Start("dbus-monitor", "--address", b.Address, "type='signal'")
	Wait(b.host.lab.t, 10*time.Second, "the monitor", func() (string, bool) {
		text := p.LogText()
		return text, strings.Contains(text, "NameAcquired")
	})
	return p
}
