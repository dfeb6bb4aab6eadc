package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"holdfast/integration/tools"
	"holdfast/integration/uml"
)

// Build makes sure that there is a binary to test and returns an error that
// says why not: $HOLDFAST_BIN, or bin/holdfast of this module, freshly built.
// Call it in TestMain, before anything moves to a guest.
func Build() error {
	if os.Getenv("HOLDFAST_BIN") != "" || uml.Guest() {
		return nil
	}
	root, err := tools.ModuleRoot()
	if err != nil {
		return err
	}
	build := exec.Command("go", "build", "-trimpath", "-o", "bin/holdfast", "./cmd/holdfast")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build holdfast: %w\n%s", err, out)
	}
	return nil
}

// Binary returns the path of the binary under test.
func Binary() (string, error) {
	if path := os.Getenv("HOLDFAST_BIN"); path != "" {
		return filepath.Abs(path)
	}
	root, err := tools.ModuleRoot()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "bin/holdfast"), nil
}

// A Daemon is holdfast running on a host.
type Daemon struct {
	*Process
	host   *Host
	binary string
	config string
	socket string
	suffix string // of the names of its files
	// KeepsJournal has Restart keep the events of the runs before.
	KeepsJournal bool
	Flags        []string // further ones of "holdfast run"
}

// Holdfast starts the daemon with a configuration. Daemons of several hosts
// share the machine's files, so each has a runtime folder of its own, which the
// configuration is given: it begins in the table [director].
func (h *Host) Holdfast(config string) *Daemon {
	h.lab.t.Helper()
	d := h.NewDaemon(config)
	d.Restart()
	return d
}

// HoldfastAt starts the daemon from another binary than the one under test.
func (h *Host) HoldfastAt(binary, config string) *Daemon {
	h.lab.t.Helper()
	d := h.daemon(binary, "", config)
	d.Restart()
	return d
}

// NewDaemon prepares the daemon without starting it.
func (h *Host) NewDaemon(config string) *Daemon {
	h.lab.t.Helper()
	path, err := Binary()
	if err != nil {
		h.lab.t.Fatalf("find holdfast: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		h.lab.t.Fatalf("find holdfast: %v (run `make build`)", err)
	}
	return h.daemon(path, "", config)
}

// Second prepares another daemon on the same host, with a runtime folder of its
// own.
func (d *Daemon) Second(config string) *Daemon { return d.host.daemon(d.binary, "-second", config) }

func (h *Host) daemon(binary, suffix, config string) *Daemon {
	d := &Daemon{host: h, binary: binary, suffix: suffix}
	d.socket = filepath.Join(d.RuntimeDir(), "control.sock")
	d.Configure(config)
	return d
}

// RuntimeDir is where the daemon keeps its files.
func (d *Daemon) RuntimeDir() string {
	return filepath.Join(d.host.lab.dir, d.host.Name+d.suffix+"-run")
}

// ConfigPath is the path of the configuration.
func (d *Daemon) ConfigPath() string { return d.config }

// Configure writes another configuration; Reload or Restart makes it count.
func (d *Daemon) Configure(config string) {
	d.host.lab.t.Helper()
	head := fmt.Sprintf("[director]\nname = %q\nruntime_dir = %q\n", d.host.Name, d.RuntimeDir())
	d.config = d.host.lab.WriteFile(d.host.Name+d.suffix+".toml", head+config)
}

// ConfigureFile takes a whole file for the configuration, and adds the runtime folder to it.
func (d *Daemon) ConfigureFile(path string) {
	d.host.lab.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		d.host.lab.t.Fatal(err)
	}
	const table = "[director]\n"
	line := fmt.Sprintf("runtime_dir = %q\n", d.RuntimeDir())
	whole := strings.Replace(string(text), table, table+line, 1)
	if whole == string(text) {
		whole = table + line + whole
	}
	if err := os.WriteFile(path, []byte(whole), 0o644); err != nil {
		d.host.lab.t.Fatal(err)
	}
	d.config = path
}

// Restart starts the daemon, after a stop or a crash again, with an empty journal.
func (d *Daemon) Restart() {
	d.host.lab.t.Helper()
	if file := filepath.Join(d.RuntimeDir(), "events.jsonl"); !d.KeepsJournal {
		for _, name := range []string{file, file + ".1"} {
			if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
				d.host.lab.t.Fatal(err)
			}
		}
	}
	d.Process = d.host.Start(d.binary, append([]string{"run", "-c", d.config, "--socket", d.socket}, d.Flags...)...)
}

// CLI runs the command line with the daemon's socket and configuration where
// the command takes them.
func (d *Daemon) CLI(command string, args ...string) (stdout, stderr string, err error) {
	all := []string{command}
	switch command {
	case "check", "config", "plan", "release":
		all = append(all, args...)
		all = append(all, "-c", d.config)
	case "doctor":
		all = append(all, "-c", d.config, "--socket", d.socket)
		all = append(all, args...)
	default:
		all = append(all, args...)
		all = append(all, "--socket", d.socket)
	}
	return d.host.Output(d.binary, all...)
}

// Realserver runs "holdfast realserver" on the host and returns what it said. Hosts
// share the machine's files, so each has a runtime folder of its own.
func (h *Host) Realserver(verb string, args ...string) (string, error) {
	path, err := Binary()
	if err != nil {
		return "", err
	}
	all := append([]string{"realserver", verb, "--runtime-dir", filepath.Join(h.lab.dir, h.Name+"-realserver")}, args...)
	return h.Try(path, all...)
}

// Reload makes the daemon read its configuration again.
func (d *Daemon) Reload() error {
	_, stderr, err := d.CLI("reload")
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr))
	}
	return nil
}

// A Status is the part of `holdfast status --json` that the tests use.
type Status struct {
	VRRP []struct {
		Name     string `json:"name"`
		State    string `json:"state"`
		Holding  bool   `json:"holding"` // the addresses are on the device
		Counters struct {
			AdvertsSent uint64            `json:"adverts_sent"`
			Transitions uint64            `json:"transitions"`
			Dropped     map[string]uint64 `json:"dropped"`
		} `json:"counters"`
	} `json:"vrrp"`
	LVS struct {
		Error   string `json:"error"`
		Repairs uint64 `json:"repairs"` // of what somebody else had changed
		Sync    struct {
			Roles []string `json:"roles"`
		} `json:"sync"`
		Services []struct {
			Name       string `json:"name"`
			Present    bool   `json:"present"`
			OnFallback bool   `json:"on_fallback"`
			Servers    []struct {
				Address string `json:"address"`
				Health  string `json:"health"`
				Present bool   `json:"present"`
			} `json:"servers"`
		} `json:"services"`
	} `json:"lvs"`
}

// Status asks the daemon.
func (d *Daemon) Status() (Status, error) {
	var s Status
	stdout, stderr, err := d.CLI("status", "--json")
	if stdout == "" && err != nil {
		return s, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr))
	}
	if err := json.Unmarshal([]byte(stdout), &s); err != nil {
		return s, fmt.Errorf("decode status: %w", err)
	}
	return s, nil
}

// States are the states of all virtual routers by name.
func (s Status) States() map[string]string {
	states := map[string]string{}
	for _, v := range s.VRRP {
		states[v.Name] = v.State
	}
	return states
}

// AwaitState waits until every virtual router of the daemon is in a state, and
// its addresses are where they should be.
func (d *Daemon) AwaitState(t T, state string) {
	t.Helper()
	d.Await(t, d.host.Name+" is "+state, func(s Status) (string, bool) {
		all := len(s.VRRP) > 0
		for _, v := range s.VRRP {
			all = all && v.State == state && v.Holding == (state == "MASTER")
		}
		return fmt.Sprintf("%v", s.States()), all
	})
}

// AwaitServer waits for a verdict on a server of a service: up, down.
func (d *Daemon) AwaitServer(t T, service, address, health string) {
	t.Helper()
	d.Await(t, fmt.Sprintf("server %s of %s is %s", address, service, health), func(s Status) (string, bool) {
		for _, v := range s.LVS.Services {
			for _, server := range v.Servers {
				if v.Name == service && server.Address == address {
					return server.Health, server.Health == health
				}
			}
		}
		return "not in the status", false
	})
}

// Await waits until the daemon's status is as wanted.
func (d *Daemon) Await(t T, what string, look func(Status) (seen string, ok bool)) {
	t.Helper()
	Wait(t, 20*time.Second, what, func() (string, bool) {
		if !d.Alive() {
			return "the daemon has ended", false
		}
		s, err := d.Status()
		if err != nil {
			return err.Error(), false
		}
		return look(s)
	})
}

// A Director is the configuration of one director of a [Pair], for the usual
// case: a virtual router on each side, moving together.
type Director struct {
	Priority int
	Interval time.Duration
	Version  int    // 0: 3
	IPv6     bool   // IPv6 virtual routers beside the IPv4 ones
	Options  string // further lines for every virtual router
	More     string // further tables
}

// TOML writes the configuration.
func (d Director) TOML() string {
	version := d.Version
	if version == 0 {
		version = 3
	}
	var out strings.Builder
	var members []string
	router := func(name, device string, vrid int, address string) {
		members = append(members, fmt.Sprintf("%q", name))
		fmt.Fprintf(&out, "[[vrrp]]\nname = %q\ninterface = %q\nvrid = %d\nversion = %d\npriority = %d\ninterval = %q\naddresses = [%s]\n%s\n",
			name, device, vrid, version, d.Priority, d.Interval, address, d.Options)
	}
	router("outside", "eth0", 51, fmt.Sprintf("%q", VIP+"/24"))
	router("inside", "eth1", 52, fmt.Sprintf("%q", DIP+"/24"))
	if d.IPv6 {
		router("outside6", "eth0", 51, fmt.Sprintf(`"fe80::5e:51", %q`, VIP6+"/64"))
		router("inside6", "eth1", 52, fmt.Sprintf(`"fe80::5e:52", %q`, DIP6+"/64"))
	}
	fmt.Fprintf(&out, "[[group]]\nname = \"director\"\nmembers = [%s]\n\n%s", strings.Join(members, ", "), d.More)
	return out.String()
}
