package servers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// A daemon is the program itself, with an IPVS table in memory. Only one can run in a
// network namespace, and so in this package at a time.
type daemon struct {
	t      *testing.T
	dir    string
	binary string
	cmd    *exec.Cmd
	ended  chan struct{}
}

// newDaemon prepares the daemon and a folder for the programs that it calls.
func (m *machine) newDaemon() *daemon {
	m.t.Helper()
	binary, err := lab.Binary()
	if err != nil {
		m.t.Fatal(err)
	}
	return &daemon{t: m.t, dir: tools.Dir(m.t), binary: binary, ended: make(chan struct{})}
}

// start starts the daemon.
func (d *daemon) start(config string) {
	d.t.Helper()
	path := d.write("holdfast.toml", "[director]\nname = \"lvs1\"\nruntime_dir = \"DIR/run\"\n"+config, 0o644)
	log, err := os.Create(d.path("log"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer log.Close()
	d.cmd = exec.Command(d.binary, "run", "-c", path, "--socket", d.path("control.sock"), "--ipvs-record", d.path("ipvs"))
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.ended)
	}()
	d.t.Cleanup(func() {
		d.stop()
		if d.t.Failed() {
			d.t.Logf("what the daemon said:\n%s", d.read("log"))
		}
	})
}

func (d *daemon) path(name string) string { return filepath.Join(d.dir, name) }

// write writes a file of the folder, in whose text DIR is the folder, and returns its path.
func (d *daemon) write(name, text string, mode os.FileMode) string {
	d.t.Helper()
	text = strings.ReplaceAll(text, "DIR", d.dir)
	if err := os.WriteFile(d.path(name), []byte(text), mode); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chmod(d.path(name), mode); err != nil { // despite the umask
		d.t.Fatal(err)
	}
	return d.path(name)
}

// read returns a file of the folder; "" if there is none.
func (d *daemon) read(name string) string {
	text, _ := os.ReadFile(d.path(name))
	return string(text)
}

// stop ends the daemon as systemd does.
func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		d.t.Error("the daemon does not end")
		_ = d.cmd.Process.Kill()
		<-d.ended
	}
}

// A served is what status says of a server.
type served struct {
	Health string `json:"health"`
	Weight int    `json:"effective_weight"`
}

// server returns the state of the only server of a service.
func (d *daemon) server(service string) (s served) {
	out, _ := exec.Command(d.binary, "status", "--json", "--socket", d.path("control.sock")).Output()
	var all struct {
		LVS struct {
			Services []struct {
				Name    string   `json:"name"`
				Servers []served `json:"servers"`
			} `json:"services"`
		} `json:"lvs"`
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return served{Health: err.Error()}
	}
	for _, v := range all.LVS.Services {
		if v.Name == service && len(v.Servers) == 1 {
			s = v.Servers[0]
		}
	}
	return s
}

// await waits until the only server of a service has a state and a weight.
func (d *daemon) await(service string, want served) {
	d.t.Helper()
	lab.Wait(d.t, 20*time.Second, fmt.Sprintf("%s: %+v", service, want), func() (string, bool) {
		got := d.server(service)
		return fmt.Sprintf("%+v", got), got == want
	})
}
