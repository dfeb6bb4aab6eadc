package fence

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
	"holdfast/integration/tools"
)

// The conventions: what each kind of device is called with.
func TestCalls(t *testing.T) {
	params := map[string]string{"ip": "10.9.0.2", "password": "tuna"}
	tests := []struct {
		name   string
		device Device
		want   string // arguments, environment and input
	}{
		{"agent", Device{Kind: Agent, Agent: "/usr/sbin/fence_x", Params: params, Action: "off"},
			"/usr/sbin/fence_x||action=off\nip=10.9.0.2\nnodename=lvs2\npassword=tuna\nplug=lvs2\n"},
		{"agent with a plug of its own", Device{Kind: Agent, Agent: "/usr/sbin/fence_x", Params: map[string]string{"plug": "7"}, Action: "reboot"},
			"/usr/sbin/fence_x||action=reboot\nnodename=lvs2\nplug=7\n"},
		{"external plugin", Device{Kind: Stonith, Plugin: "external/ipmi", Params: params, Action: "reboot"},
			"/usr/lib/stonith/plugins/external/ipmi reset lvs2|" + strings.Join(externalEnv, " ") + " ip=10.9.0.2 password=tuna|"},
		{"other plugin", Device{Kind: Stonith, Plugin: "null", Params: map[string]string{"hostlist": "lvs2"}, Action: "off"},
			"/usr/sbin/stonith -t null hostlist=lvs2 -T off lvs2||"},
		{"program", Device{Program: program.Program{Argv: []string{"/sbin/off", "now"}}}, "/sbin/off now||"},
	}
	for _, test := range tests {
		c := test.device.call("lvs2")
		if got := strings.Join(c.Argv, " ") + "|" + strings.Join(c.env, " ") + "|" + c.input; got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestOutcomes(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{`[ "$HOLDFAST_NODE" = lvs2 ]`, ""},
		{`echo no answer; exit 3`, "script: exit status 3: no answer"},
		{`sleep 3600`, "script: timed out after"},
	} {
		path := filepath.Join(tools.Dir(t), "script")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+test.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		d := Device{Program: program.Program{Argv: []string{path}}}
		err := d.Run(ctx, "lvs2", []string{"HOLDFAST_NODE=lvs2"})
		cancel()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.script, err, test.want)
		}
	}
}

// installed makes what `make tools` fetched appear below /usr, for this thread and what
// it starts.
func installed(t *testing.T, program string) {
	t.Helper()
	tools.Root(t, "mount a file system")
	usr := filepath.Join(tools.Cache(), "root/usr")
	if _, err := os.Stat(filepath.Join(usr, "sbin", program)); err != nil {
		tools.Without(t, "netns", fmt.Sprintf("there is no %s among the fetched packages (run `make tools`)", program))
	}
	runtime.LockOSThread() // and not unlocked: the thread ends with the test
	for _, err := range []error{
		unix.Unshare(unix.CLONE_NEWNS),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("overlay", "/usr", "overlay", unix.MS_RDONLY, "lowerdir="+usr+":/usr"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func within(t *testing.T, d *Device, node string, env ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return d.Run(ctx, node, env)
}

// The real program of heartbeat's STONITH resets a node by its plugin for tests. That
// plugin, and the external one for IPMI, would take any name for that of their node.
func TestStonith(t *testing.T) {
	installed(t, "stonith")
	null, ipmi := map[string]string{"hostlist": "lvs1 LVS2"}, map[string]string{"hostname": "lvs1"}
	for _, test := range []struct {
		plugin, node string
		params       map[string]string
		want         string
	}{
		{"null", "lvs1", null, ""},
		{"null", "LVS2", null, ""},
		{"null", "lvs3", null, "plugin null has no node lvs3: it lists lvs1, lvs2"},
		{"nobody-has-this", "lvs1", null, "ask for the list of nodes: stonith: exit status"},
		{"external/ipmi", "lvs2", ipmi, "plugin external/ipmi has no node lvs2: it lists lvs1"},
		{"external/ipmi", "lvs1", ipmi, "ERROR: "}, // what it logs: it has no address
		{"external/ipmi", "lvs2", nil, "plugin external/ipmi has no node lvs2: it lists none"},
	} {
		d := &Device{Kind: Stonith, Plugin: test.plugin, Params: test.params, Action: "reboot"}
		err := within(t, d, test.node)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s, node %s: %v, want %q", test.plugin, test.node, err, test.want)
		}
	}
}

// A list without an end is an error, and does not fill the memory.
func TestListIsBounded(t *testing.T) {
	c, l := call{Program: program.Program{Argv: []string{"/usr/bin/yes", "lvs2"}}}, &list{}
	if err := c.run(t.Context(), nil, l); err == nil || l.text.Len() > maxList {
		t.Errorf("%d bytes, %v", l.text.Len(), err)
	}
}

// An agent reads its parameters from its standard input, up to the end.
func TestAgentReadsParameters(t *testing.T) {
	dir := tools.Dir(t)
	agent, read := filepath.Join(dir, "agent"), filepath.Join(dir, "read")
	if err := os.WriteFile(agent, []byte("#!/bin/sh\ncat >"+read+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 100<<10) // more than a pipe takes at once
	d := &Device{Kind: Agent, Agent: agent, Params: map[string]string{"ip": long}, Action: "off"}
	if err := within(t, d, "lvs2"); err != nil {
		t.Fatal(err)
	}
	want := "action=off\nip=" + long + "\nnodename=lvs2\nplug=lvs2\n"
	if b, err := os.ReadFile(read); err != nil || string(b) != want {
		t.Errorf("the agent read %d bytes, want %d, %v", len(b), len(want), err)
	}
}

// The real agent for tests turns a node off.
func TestFenceAgent(t *testing.T) {
	installed(t, "fence_dummy")
	stubs := tools.Dir(t) // for modules that this agent does not use
	for name, text := range map[string]string{"pycurl.py": "", "pexpect.py": "class spawn: pass\nclass ExceptionPexpect(Exception): pass\n"} {
		if err := os.WriteFile(filepath.Join(stubs, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	python := "PYTHONPATH=" + stubs + ":/usr/share/fence"
	status := filepath.Join(stubs, "status")
	if err := os.WriteFile(status, []byte("on"), 0o644); err != nil { // without a file it says that the node is off
		t.Fatal(err)
	}
	params := map[string]string{"status_file": status, "power_timeout": "1"}
	d := &Device{Kind: Agent, Agent: "/usr/sbin/fence_dummy", Params: params, Action: "off"}
	if err := within(t, d, "lvs2", python); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(status); err != nil || !strings.Contains(string(b), "off") {
		t.Errorf("the agent wrote %q, %v", b, err)
	}
	d.Params["type"] = "fail"
	if err := within(t, d, "lvs2", python); err == nil {
		t.Error("an agent that fails has fenced")
	}
}
