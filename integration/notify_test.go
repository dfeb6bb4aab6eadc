package integration_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// recorder makes a script that writes its arguments into a file, and returns
// the script's path and what reads the file, one line an event.
func recorder(t *testing.T, l *lab.Lab, name string) (script string, read func() []string) {
	t.Helper()
	record := l.WriteFile(name+".record", "")
	script = l.WriteFile(name+".sh", "#!/bin/sh\necho \"$*\" >>"+record+"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	return script, func() []string {
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
}

// awaitLines waits for the lines, which come in this order.
func awaitLines(t *testing.T, what string, read func() []string, want ...string) {
	t.Helper()
	lab.Wait(t, 10*time.Second, what, func() (string, bool) {
		got := strings.Join(read(), "\n")
		return "\n" + got, got == strings.Join(want, "\n")
	})
}

// Scripts also run for what is no change of state: another priority, a rival, and
// that a reload removed the instance.
func TestNotifyMoments(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	script, recorded := recorder(t, p.Lab, "moments")
	// Whether there is a FAULT before the tracker's first look is a matter of luck.
	read := func() []string {
		lines := recorded()
		return lines[max(0, slices.Index(lines, "INSTANCE outside MASTER 200")):]
	}
	load := p.WriteFile("load", "0")
	config := func(name, vrid string) string {
		return `[[vrrp]]
name = "` + name + `"
interface = "eth0"
vrid = ` + vrid + `
priority = 200
interval = "100ms"
addresses = ["10.0.0.` + vrid + `/24"]
track = ["load"]
[vrrp.notify]
any = "` + script + `"
rival = "` + script + `"
priority = "` + script + `"
deleted = "` + script + `"
[[track]]
name = "load"
type = "file"
file = "` + load + `"
interval = "100ms"
weight = -1
`
	}
	d := host.Holdfast(config("outside", "51"))
	d.AwaitState(t, "MASTER")
	p.WriteFile("load", "30")
	want := []string{"INSTANCE outside MASTER 200", "INSTANCE outside PRIORITY 170"}
	awaitLines(t, "another priority", read, want...)

	wire := p.Host("rival").Plug(p.Outside, "eth0", "10.0.0.66/24")
	silence := wire.Repeat(wire.VRRPv3("10.0.0.66", 51, 50, fast, "10.0.0.51"), fast)
	want = append(want, "INSTANCE outside RIVAL 170")
	awaitLines(t, "a rival", read, want...)
	silence()
	want = append(want, "INSTANCE outside RIVAL_GONE 170")
	awaitLines(t, "the end of the rival", read, want...)

	d.Configure(config("other", "52"))
	if err := d.Reload(); err != nil {
		t.Fatal(err)
	}
	want = append(want, "INSTANCE outside STOP 170", "INSTANCE outside DELETED 0")
	lab.Wait(t, 10*time.Second, "the removal", func() (string, bool) {
		var own []string
		for _, line := range read() {
			if strings.HasPrefix(line, "INSTANCE outside ") {
				own = append(own, line)
			}
		}
		got := strings.Join(own, "\n")
		return "\n" + got, got == strings.Join(want, "\n")
	})
}

// A pipeLog is what came out of a named pipe so far.
type pipeLog struct {
	mu    sync.Mutex
	lines []string
}

// readPipe opens a pipe as soon as it is there, and reads it until the test ends.
func readPipe(t *testing.T, path string) *pipeLog {
	t.Helper()
	lab.Wait(t, 10*time.Second, "the pipe "+path, func() (string, bool) {
		_, err := os.Lstat(path)
		return "", err == nil
	})
	file, err := os.OpenFile(path, os.O_RDWR, 0) // it has no end before ours
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeLog{}
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(file); lines.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, lines.Text())
			p.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = file.Close()
		reading.Wait()
	})
	return p
}

// of returns the lines that begin so, without that beginning.
func (p *pipeLog) of(beginning string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var some []string
	for _, line := range p.lines {
		if rest, ok := strings.CutPrefix(line, beginning); ok {
			some = append(some, rest)
		}
	}
	return strings.Join(some, ", ")
}

func (p *pipeLog) await(t *testing.T, beginning, want string) {
	t.Helper()
	lab.Wait(t, 10*time.Second, beginning+want, func() (string, bool) {
		got := p.of(beginning)
		return got, got == want
	})
}

// A failover appears once in the pipes of both directors, in keepalived's words. A
// reload does not make the pipe anew and loses no line, and repeats the states if the
// configuration asks for it.
func TestFIFO(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	var daemons []*lab.Daemon
	var pipes []*pipeLog
	var paths []string
	config := func(i int, more string) string {
		return lab.Director{Priority: 200 - 50*i, Interval: fast, More: "[[notify.fifo]]\npath = \"" + paths[i] + "\"\n" + more}.TOML()
	}
	for i, host := range p.Directors {
		paths = append(paths, p.Dir()+"/"+host.Name+".fifo")
		daemons = append(daemons, host.Holdfast(config(i, "")))
		pipes = append(pipes, readPipe(t, paths[i]))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	pipes[0].await(t, `GROUP "director" `, "BACKUP 0, MASTER 0")
	pipes[1].await(t, `GROUP "director" `, "BACKUP 0")
	before, err := os.Lstat(paths[1])
	if err != nil {
		t.Fatal(err)
	}

	daemons[1].Configure(config(1, "states_on_reload = true\n"))
	if err := daemons[1].Reload(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Lstat(paths[1]); err != nil || !os.SameFile(before, after) || after.Mode() != os.ModeNamedPipe|0o600 {
		t.Errorf("the pipe is another one after the reload, or has another mode: %v (%v)", after, err)
	}
	pipes[1].await(t, `INSTANCE "outside" `, "BACKUP 150, BACKUP 150")

	if status := daemons[0].Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	for _, name := range []string{"outside", "inside"} {
		pipes[0].await(t, `INSTANCE "`+name+`" `, "BACKUP 200, MASTER 200, STOP 200")
		pipes[1].await(t, `INSTANCE "`+name+`" `, "BACKUP 150, BACKUP 150, MASTER 150")
	}
	pipes[0].await(t, `GROUP "director" `, "BACKUP 0, MASTER 0, STOP 0")
	pipes[1].await(t, `GROUP "director" `, "BACKUP 0, BACKUP 0, MASTER 0")

	daemons[0].Restart() // the reader still has the old pipe open
	pipes[0].await(t, `GROUP "director" `, "BACKUP 0, MASTER 0, STOP 0, BACKUP 0, MASTER 0")
	for i, path := range paths {
		if out, _, _ := daemons[i].CLI("status"); !strings.Contains(out, "fifo "+path) || strings.Contains(out, "UNWELL") {
			t.Errorf("status of %s:\n%s", p.Directors[i].Name, out)
		}
	}
}

// The program that reads the pipe gets its lines. It ends with the daemon and at an
// upgrade, and the next daemon starts it again.
func TestFIFOReader(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	record := p.WriteFile("record", "")
	script := p.WriteFile("reader.sh", "#!/bin/sh\necho begin >>"+record+"\nwhile read line; do echo \"$line\" >>"+record+"; done <$1\necho end >>"+record+"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	read := func() []string {
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "INSTANCE") {
				kept = append(kept, strings.TrimSpace(line))
			}
		}
		return kept
	}
	d := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: `[[notify.fifo]]
path = "` + p.Dir() + `/pipe"
command = "` + script + `"
`}.TOML())
	d.AwaitState(t, "MASTER")
	want := []string{"begin", `GROUP "director" BACKUP 0`, `GROUP "director" MASTER 0`}
	awaitLines(t, "what the reader got", read, want...)

	if out, stderr, err := d.CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v\n%s%s", err, out, stderr)
	}
	want = append(want, "end", "begin", `GROUP "director" MASTER 0`)
	awaitLines(t, "the reader after the upgrade", read, want...)
	d.AwaitState(t, "MASTER")
	if status := d.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	want = append(want, `GROUP "director" STOP 0`, "end")
	awaitLines(t, "what the reader got at the stop", read, want...)
}

// A reader that died and is started again gets the states, as does the one that an
// upgrade starts, and a webhook after a restart of the daemon. Whoever follows events
// gets them on request.
func TestStatesForLatecomers(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	record := p.WriteFile("record", "")
	script := p.WriteFile("reader.sh", "#!/bin/sh\nexec >>"+record+"\necho begin $$\nwhile read line; do echo \"$line\"; done <$1\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	reader := 0
	read := func() []string {
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			if n, _ := fmt.Sscanf(line, "begin %d", &reader); n == 1 {
				line = "begin"
			}
			lines = append(lines, strings.TrimSpace(line))
		}
		return lines
	}
	hooks := takeHooks(t, p.Router.Listen(lab.RouterIP+":8080"), "hush")
	key := p.WriteFile("hook.key", "hush\n")
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	d := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: `[[notify.fifo]]
path = "` + p.Dir() + `/pipe"
command = "` + script + `"
events = ["group"]
[[notify.webhook]]
name = "alerts"
url = "http://` + lab.RouterIP + `:8080/hook"
events = ["group"]
states_on_start = true
secret_file = "` + key + `"
retry = "100ms"
`}.TOML())
	d.AwaitState(t, "MASTER")
	want := []string{"begin", `GROUP "director" BACKUP 0`, `GROUP "director" MASTER 0`}
	awaitLines(t, "the first reader", read, want...)

	if err := syscall.Kill(reader, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	want = append(want, "begin", `GROUP "director" MASTER 0`)
	awaitLines(t, "the reader that was started again", read, want...)

	if out, stderr, err := d.CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v\n%s%s", err, out, stderr)
	}
	want = append(want, "begin", `GROUP "director" MASTER 0`)
	awaitLines(t, "the reader after the upgrade", read, want...)

	hook := func(what, want string) {
		t.Helper()
		select {
		case e := <-hooks:
			if got := fmt.Sprintf("%s>%s %v", e.Event.From, e.Event.To, e.Event.Snapshot); got != want {
				t.Errorf("the webhook got %s for %s, want %s", got, what, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no webhook for %s", what)
		}
	}
	start := func() {
		t.Helper()
		hook("the start", ">STOP true")
		hook("the first transition", "INIT>BACKUP false")
		hook("the takeover", "BACKUP>MASTER false")
	}
	start()
	hook("the upgrade", ">MASTER true")

	if out, stderr, err := d.CLI("events", "--state"); err != nil || !strings.Contains(out, " group director MASTER: the state") || strings.Contains(out, "->") {
		t.Errorf("events --state: %v\n%s%s", err, out, stderr)
	}
	d.Stop()
	hook("the stop", "MASTER>INIT false")
	d.Restart()
	start()
}

// takeMail is the part of an SMTP server that receiving mail needs.
func takeMail(t *testing.T, listener net.Listener) <-chan string {
	mails := make(chan string, 100)
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
				lines, data := bufio.NewReader(conn), []string(nil)
				fmt.Fprint(conn, "220 fake\r\n")
				for taking := false; ; {
					line, err := lines.ReadString('\n')
					switch {
					case err != nil:
						return
					case taking && line == ".\r\n":
						mails <- strings.Join(data, "")
						taking = false
					case taking:
						data = append(data, strings.TrimPrefix(line, "."))
						continue
					case line == "DATA\r\n":
						taking = true
						fmt.Fprint(conn, "354 go\r\n")
						continue
					}
					fmt.Fprint(conn, "250 fine\r\n")
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		sessions.Wait()
	})
	return mails
}

// A hookEvent is the part of a webhook's document that the tests use.
type hookEvent struct {
	Version  int    `json:"version"`
	Director string `json:"director"`
	Event    struct {
		Kind, Subject, From, To string
		Seq                     uint64
		Snapshot                bool
	} `json:"event"`
}

// takeHooks serves a webhook that fails at first, and returns the documents that were
// posted with the right signature.
func takeHooks(t *testing.T, listener net.Listener, key string) <-chan hookEvent {
	events := make(chan hookEvent, 100)
	failed := false
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		var e hookEvent
		switch {
		case !failed: // connections come one after the other
			failed = true
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil || r.Header.Get("Holdfast-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) || json.Unmarshal(body, &e) != nil:
			t.Errorf("a webhook got %s under %v", body, r.Header)
		default:
			events <- e
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return events
}

// A BACKUP that takes over sends mail with the state of everything, and posts its
// events in order, although the first try fails.
func TestMailAndWebhook(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	mails := takeMail(t, p.Router.Listen(lab.RouterIP+":25"))
	hooks := takeHooks(t, p.Router.Listen(lab.RouterIP+":8080"), "hush")
	key := p.WriteFile("hook.key", "hush\n")
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	more := `[notify.mail]
server = "` + lab.RouterIP + `:25"
from = "lvs@example.org"
to = ["noc@example.org"]
events = ["instance", "group"]
gather = "1s"
[[notify.webhook]]
name = "alerts"
url = "http://` + lab.RouterIP + `:8080/hook"
events = ["group"]
secret_file = "` + key + `"
retry = "100ms"
`
	master := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast}.TOML())
	master.AwaitState(t, "MASTER")
	backup := p.Directors[1].Holdfast(lab.Director{Priority: 100, Interval: fast, More: more}.TOML())
	backup.AwaitState(t, "BACKUP")
	if shown, _, err := backup.CLI("config", "show"); err != nil || strings.Contains(shown, "hush") || !strings.Contains(shown, filepath.Base(key)) {
		t.Errorf("config show (%v):\n%s", err, shown)
	}
	next := func(what string) hookEvent {
		t.Helper()
		select {
		case e := <-hooks:
			return e
		case <-time.After(20 * time.Second):
			t.Fatalf("no webhook for %s", what)
			panic("unreachable")
		}
	}
	started := next("the start")
	first := <-mails
	master.Stop()
	if e := next("the takeover"); e.Version != 1 || e.Director != "lvs2" || e.Event.Kind != "group" || e.Event.Subject != "director" ||
		e.Event.From != "BACKUP" || e.Event.To != "MASTER" || e.Event.Seq <= started.Event.Seq {
		t.Errorf("the webhook got %+v after %+v", e, started)
	}
	if strings.Contains(first, "MASTER (") {
		t.Errorf("a mail before the takeover:\n%s", first)
	}
	got, err := mail.ReadMessage(strings.NewReader(<-mails))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	if subject := got.Header.Get("Subject"); subject != "lvs2: group director: BACKUP -> MASTER (and 2 more)" {
		t.Errorf("subject %q\n%s", subject, body)
	}
	for _, want := range []string{"instance outside: BACKUP -> MASTER", "instance inside: BACKUP -> MASTER", "gave up (priority 0)", "Now, at ", "outside  MASTER"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the mail lacks %q:\n%s", want, body)
		}
	}
	if status, _, _ := backup.CLI("status"); !strings.Contains(status, "webhook alerts") || !strings.Contains(status, "503 Service Unavailable") || strings.Contains(status, "UNWELL") {
		t.Errorf("status:\n%s", status)
	}
}
