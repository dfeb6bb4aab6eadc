package fence

import (
	"context"
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
			"/usr/lib/stonith/plugins/external/ipmi reset lvs2|ip=10.9.0.2 password=tuna|"},
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
		tools.Without(t, "netns", "there is no "+program+" among the fetched packages (run `make tools`)")
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

// The real program of heartbeat's STONITH resets a node by its plugin for tests.
func TestStonith(t *testing.T) {
	installed(t, "stonith")
	d := &Device{Kind: Stonith, Plugin: "null", Params: map[string]string{"hostlist": "lvs1 lvs2"}, Action: "reboot"}
	if err := within(t, d, "lvs2"); err != nil {
		t.Error(err)
	}
	d.Plugin = "nobody-has-this"
	if err := within(t, d, "lvs2"); err == nil {
		t.Error("a plugin that is not there fenced a node")
	}
}

// The real agent for tests turns a node off. The package has 100 MB of libraries for
// clouds, so `make tools` does not fetch it: the test runs where somebody has.
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
	d := &Device{Kind: Agent, Agent: "/usr/sbin/fence_dummy", Params: map[string]string{"status_file": status}, Action: "off"}
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
