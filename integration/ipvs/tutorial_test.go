package ipvs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// A newcomer's path: every command of the tutorial runs as written, and prints what
// the page shows.
func TestTutorial(t *testing.T) {
	root, err := tools.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := lab.NewPair(t, 2)
	machines := map[string]*machine{"client": newMachine(t, "client", p.Router)}
	for _, h := range append(p.Directors, p.Realservers...) {
		machines[h.Name] = newMachine(t, h.Name, h)
	}
	for _, h := range p.Realservers {
		h.Plug(p.Outside, "eth1")
		h.ServeHTTP(":80")
	}
	for _, block := range blocks(string(page)) {
		for _, name := range block.machines {
			machines[name].do(t, block)
		}
	}
}

// A block is a fenced part of a page, for the machines that its first line names.
type block struct {
	line     int
	kind     string // "sh", "toml", or "text", which is what the block before it prints
	machines []string
	file     string // of toml
	text     string
	prints   string // the text of the blocks of text that follow
}

func blocks(page string) []block {
	var all []block
	var open *block
	for i, line := range strings.Split(page, "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open != nil && open.kind == "text":
			all[len(all)-1].prints += open.text
			open = nil
		case fence && open != nil:
			all, open = append(all, *open), nil
		case fence:
			open = &block{line: i + 1}
			for n, word := range strings.Fields(info) {
				switch {
				case n == 0:
					open.kind = word
				case strings.HasPrefix(word, "/"):
					open.file = word
				default:
					open.machines = append(open.machines, word)
				}
			}
		case open != nil:
			open.text += line + "\n"
		}
	}
	return all
}

// A machine is a host with a hostname, an /etc, a /run and a /var/lib of its own, and with
// commands that stand for what the lab does not have.
type machine struct {
	host  *lab.Host
	shell int    // the process that keeps the namespaces
	path  string // where its commands are found
}

// systemctl stands for systemd: it runs what the unit runs.
const systemctl = `#!/bin/sh
set -eu
stop() {
	kill "$(cat /run/holdfast.pid)"
	tail --pid="$(cat /run/holdfast.pid)" -f /dev/null
}
case "$*" in
"restart holdfast") stop ;;
"enable --now holdfast") ;;
*) echo "systemctl $*: not known here" >&2; exit 1 ;;
esac
holdfast run >>/run/holdfast.log 2>&1 </dev/null &
echo $! >/run/holdfast.pid
`

func newMachine(t *testing.T, name string, h *lab.Host) *machine {
	t.Helper()
	root, err := tools.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	ipvsadm, err := tools.Find("ipvsadm")
	if err != nil {
		tools.Without(t, "ipvs", err)
	}
	prepare := `set -eu
hostname ` + name + `
mount -t tmpfs tmpfs /mnt
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mkdir /run/bin
ln -s ` + filepath.Join(root, "bin/holdfast") + ` /run/bin/holdfast
cat >/run/bin/systemctl <<'END'
` + systemctl + `END
chmod 755 /run/bin/systemctl
echo ready
exec sleep 3600`
	p := h.Start("unshare", "-mu", "sh", "-c", prepare)
	lab.Wait(t, 20*time.Second, name+" is prepared", func() (string, bool) {
		log, err := os.ReadFile(p.Log)
		return fmt.Sprintf("%s %v", log, err), strings.Contains(string(log), "ready\n")
	})
	return &machine{host: h, shell: p.Pid(), path: "/run/bin:" + filepath.Dir(ipvsadm) + ":" + os.Getenv("PATH")}
}

// do carries out a block. What a director shows changes while its checks and adverts go
// on, so a block that fails, or does not print all that the page says, is tried again.
func (m *machine) do(t *testing.T, b block) {
	t.Helper()
	script := b.text
	if b.file != "" {
		script = "cat >" + b.file + " <<'END'\n" + b.text + "END\n"
	}
	var out string
	lab.Wait(t, 20*time.Second, fmt.Sprintf("line %d on %s", b.line, m.host.Name), func() (string, bool) {
		var err error
		out, err = m.host.Try("nsenter", "-t", fmt.Sprint(m.shell), "-m", "-u",
			"env", "PATH="+m.path, "sh", "-euc", script)
		missing := missingLines(b.prints, out)
		return fmt.Sprintf("%v, without %q\n%s", err, missing, out), err == nil && len(missing) == 0
	})
	t.Logf("line %d, on %s:\n%s", b.line, m.host.Name, out)
}

var blanks = regexp.MustCompile(`\s+`)

// missingLines returns those lines of a text that are no part of what was said.
func missingLines(text, said string) (missing []string) {
	said = blanks.ReplaceAllString(said, " ")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(blanks.ReplaceAllString(line, " ")); !strings.Contains(said, line) {
			missing = append(missing, line)
		}
	}
	return missing
}
