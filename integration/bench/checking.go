package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

//go:embed c/loop.c
var loopSource []byte

//go:embed c/ipvs.c
var ipvsSource []byte

// perService is how many servers a service has.
const perService = 50

// checkedPort is the port of all servers; those with a listener each have the next one.
const checkedPort = 18080

// A checkSetup is what is checked, the same for every contender.
type checkSetup struct {
	kind    string // tcp or http
	reuse   bool
	servers int
	port    int
	weight  int // of the first server
}

func (s checkSetup) toml() string {
	var out strings.Builder
	out.WriteString("[director.log]\nlevel = \"warn\"\n")
	for i := range s.servers {
		if i%perService == 0 {
			fmt.Fprintf(&out, "[[service]]\nname = \"s%d\"\naddress = \"10.9.%d.%d:%d\"\nscheduler = \"rr\"\nforward = \"dr\"\n[service.check]\n"+
				"type = %q\ninterval = \"1s\"\ntimeout = \"1s\"\nfall = 1\n", i/perService, i/perService/250, 1+i/perService%250, s.port, s.kind)
			if s.reuse {
				out.WriteString("reuse = true\n")
			}
		}
		fmt.Fprintf(&out, "[[service.server]]\naddress = \"%s:%d\"\nweight = %d\n", targetAddress(i), s.port, s.weightOf(i))
	}
	return out.String()
}

func (s checkSetup) weightOf(i int) int {
	if i == 0 {
		return s.weight
	}
	return 1
}

func (s checkSetup) keepalived() string {
	check := "TCP_CHECK {\nconnect_timeout 1\nretry 0\n}"
	if s.kind == "http" {
		check = "HTTP_GET {\nconnect_timeout 1\nretry 0\nurl {\npath /\nstatus_code 200\n}\n}"
	}
	var out strings.Builder
	for i := range s.servers {
		if i%perService == 0 {
			if i > 0 {
				out.WriteString("}\n")
			}
			fmt.Fprintf(&out, "virtual_server 10.9.%d.%d %d {\ndelay_loop 1\nlb_algo rr\nlvs_method DR\nprotocol TCP\n", i/perService/250, 1+i/perService%250, s.port)
		}
		fmt.Fprintf(&out, "real_server %s %d {\nweight %d\n%s\n}\n", targetAddress(i), s.port, s.weightOf(i), check)
	}
	out.WriteString("}\n")
	return out.String()
}

// A track is the host where the checkers run one after the other, and what they need.
type track struct {
	t       lab.T
	host    *lab.Host
	dir     string
	loop    string // the program of c/loop.c
	ipvs    string // the library of c/ipvs.c
	records int
}

func newTrack(t lab.T, single int) *track {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	k := &track{t: t, host: lab.New(t).Host("checker"), dir: dir}
	k.loop = k.compile("loop", loopSource)
	k.ipvs = k.compile("ipvs.so", ipvsSource, "-shared", "-fPIC")
	k.host.Start("/usr/bin/env", fmt.Sprintf("%s=%d %d", targetsEnv, checkedPort, single), k.self())
	lab.Wait(t, 20*time.Second, "the servers", func() (string, bool) {
		out, err := k.host.Try("/bin/cat", "/proc/net/udp")
		return out, err == nil && strings.Contains(out, ":0009 ")
	})
	return k
}

// self is the path of this program.
func (k *track) self() string {
	path, err := os.Executable()
	if err != nil {
		k.t.Fatalf("%v", err)
	}
	return path
}

func (k *track) compile(name string, source []byte, flags ...string) string {
	path := filepath.Join(k.dir, name)
	gcc := exec.Command("gcc", append(flags, "-O2", "-x", "c", "-o", path, "-")...)
	gcc.Stdin = bytes.NewReader(source)
	if out, err := gcc.CombinedOutput(); err != nil {
		k.t.Fatalf("compile %s: %v\n%s", name, err, out)
	}
	return path
}

// record returns the path of a new record of changes.
func (k *track) record() string {
	k.records++
	return filepath.Join(k.dir, fmt.Sprintf("record%d", k.records))
}

func (k *track) holdfast(s checkSetup, record string) *lab.Daemon {
	d := k.host.NewDaemon(s.toml())
	d.Flags = []string{"--ipvs-record", record}
	d.Restart()
	return d
}

// A keepalivedChecker is keepalived with a faked IPVS.
type keepalivedChecker struct {
	*lab.Process
	path string
}

func (k *track) keepalived(s checkSetup, record string) *keepalivedChecker {
	path := filepath.Join(k.dir, "keepalived.conf")
	k.write(path, s.keepalived())
	program, err := tools.Find("keepalived")
	if err != nil {
		k.t.Fatalf("%v", err)
	}
	pid := filepath.Join(k.dir, "keepalived.pid")
	return &keepalivedChecker{k.host.Start("/usr/bin/env", "LD_PRELOAD="+k.ipvs, "BENCH_IPVS="+record, program,
		"--check", "-n", "-G", "-f", path, "-p", pid, "-c", pid+".check"), path}
}

func (k *track) write(path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		k.t.Fatalf("%v", err)
	}
}

// A change is a line of a record.
type change struct {
	at   time.Time
	text string
}

func (k *track) changes(record string) []change {
	text, err := os.ReadFile(record)
	if err != nil && !os.IsNotExist(err) {
		k.t.Fatalf("%v", err)
	}
	var all []change
	for line := range strings.Lines(string(text)) {
		ns, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			continue // it is being written
		}
		all = append(all, change{time.Unix(0, n), rest})
	}
	return all
}

// await waits until a record has a change from a line on that a text names, and returns it.
func (k *track) await(record string, from int, has ...string) (found change) {
	lab.Wait(k.t, 60*time.Second, "a change with "+strings.Join(has, " and "), func() (string, bool) {
		all := k.changes(record)
		for _, c := range all[min(from, len(all)):] {
			ok := true
			for _, text := range has {
				ok = ok && strings.Contains(c.text+" ", text)
			}
			if ok {
				found = c
				return "", true
			}
		}
		return fmt.Sprintf("%d changes", len(all)), false
	})
	return found
}

// awaitServers waits until all servers are in the table.
func (k *track) awaitServers(record string, s checkSetup) {
	want := s.servers + (s.servers+perService-1)/perService
	lab.Wait(k.t, 120*time.Second, "all servers in the table", func() (string, bool) {
		n := len(k.changes(record))
		return fmt.Sprintf("%d of %d changes", n, want), n >= want
	})
}

// opened returns how many connections the host has begun.
func (k *track) opened() float64 {
	var names []string
	for line := range strings.Lines(k.host.Run("/bin/cat", "/proc/net/snmp")) {
		if !strings.HasPrefix(line, "Tcp:") {
			continue
		}
		if names == nil {
			names = strings.Fields(line)
			continue
		}
		for i, value := range strings.Fields(line) {
			if names[i] == "ActiveOpens" {
				n, _ := strconv.ParseFloat(value, 64)
				return n
			}
		}
	}
	k.t.Fatalf("the kernel does not count connections")
	return 0
}

// A checkStatus is the part of holdfast's status that the bench uses.
type checkStatus struct {
	Lateness struct {
		Count  uint64         `json:"count"`
		Zero   uint64         `json:"zero"`
		Native map[int]uint64 `json:"native"`
	} `json:"check_lateness"`
}

func (k *track) status(d *lab.Daemon) checkStatus {
	out, stderr, err := d.CLI("status", "--json")
	if out == "" {
		k.t.Fatalf("status: %v: %s", err, stderr)
	}
	var s checkStatus
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		k.t.Fatalf("status: %v", err)
	}
	return s
}

// lateness returns how late the latest of a part of the checks between two looks began, in
// milliseconds, at most 19 % too high.
func lateness(before, after checkStatus, part float64) float64 {
	total := after.Lateness.Count - before.Lateness.Count
	seen := after.Lateness.Zero - before.Lateness.Zero
	for bucket := -200; bucket <= 200; bucket++ { // of 2^(bucket/4) seconds
		if float64(seen) >= part*float64(total) {
			return 1000 * math.Exp2(float64(bucket-1)/4)
		}
		seen += after.Lateness.Native[bucket] - before.Lateness.Native[bucket]
	}
	return 1000 * math.Exp2(50)
}

// stop ends a program; how is of no interest.
func stop(p *lab.Process) {
	p.Signal(unix.SIGTERM)
	p.Wait(60 * time.Second)
}
