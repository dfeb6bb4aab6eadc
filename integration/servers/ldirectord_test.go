package servers_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/checker/probe"
	"holdfast/checker/probe/clients"
	"holdfast/conf"
	"holdfast/conf/convert"
	"holdfast/conf/convert/ldirectord"
	"holdfast/integration/lab"
)

// An old check is one of ldirectord's.
type old struct {
	name  string
	port  uint16
	lines string // of the virtual service, without virtual= and real=
	well  bool   // what ldirectord finds
	// meant is why holdfast finds the opposite with the converted file, which has what
	// was probably meant.
	meant string
}

// ipvsadmOfTests answers ldirectord, which reads an empty table at its start.
const ipvsadmOfTests = `#!/bin/sh
case "$1" in
-L) printf 'IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n' ;;
esac
`

// besideLdirectord has Debian's ldirectord ask the server of the machine, and then
// holdfast with the converted file: both find the same.
func (m *machine) besideLdirectord(checks ...old) {
	m.t.Helper()
	var cf strings.Builder
	cf.WriteString("checkinterval=1\nchecktimeout=2\nnegotiatetimeout=2\nquiescent=no\nautoreload=no\n")
	for i, c := range checks {
		// ldirectord takes servers that differ in the login alone for one: weights tell them apart.
		fmt.Fprintf(&cf, "virtual=10.0.0.%d:%d\n\treal=ADDRESS:%[2]d masq %[1]d\n", i+1, c.port)
		for line := range strings.Lines(c.lines) {
			cf.WriteString("\t" + line)
		}
		cf.WriteString("\n")
	}
	text := m.addressed(cf.String())
	for i, well := range m.ldirectord(text, len(checks)) {
		if well != checks[i].well {
			m.t.Errorf("%s: ldirectord finds the server well: %v, want %v", checks[i].name, well, checks[i].well)
		}
	}
	for i, err := range m.converted(text, checks) {
		if c := checks[i]; (err == "") != (c.well == (c.meant == "")) {
			m.t.Errorf("%s: ldirectord finds the server well: %v. holdfast finds %q", c.name, c.well, err)
		}
	}
}

// verdict is a line of ldirectord's log. Each server is enabled before its first check.
var verdict = regexp.MustCompile(`(?m)^DEBUG2: (Enabled |Disabled) real server=.* \(virtual=\w+:10\.0\.0\.(\d+):`)

// ldirectord runs Debian's until it has asked each of n virtual services several times. It returns
// which of them have their server then.
func (m *machine) ldirectord(cf string, n int) (well []bool) {
	m.t.Helper()
	client := m.beside()
	client.file("/usr/sbin/ipvsadm", ipvsadmOfTests, 0o755)
	client.file("/etc/ha.d/ldirectord.cf", cf, 0o644)
	client.start("ldirectord", "-d", "/etc/ha.d/ldirectord.cf", "start")
	well = make([]bool, n)
	lab.Wait(m.t, 60*time.Second, "ldirectord has asked everybody", func() (string, bool) {
		count := make([]int, n)
		for _, m := range verdict.FindAllStringSubmatch(client.text(), -1) {
			i, _ := strconv.Atoi(m[2])
			count[i-1]++
			well[i-1] = m[1] == "Enabled "
		}
		return fmt.Sprint(count), slices.Min(count) >= 4 || !client.alive()
	})
	return well
}

// converted asks the server with the converted file, once for each check. It returns
// why the server is not well; "": it is.
func (m *machine) converted(cf string, checks []old) (reasons []string) {
	m.t.Helper()
	var report convert.Report
	result := ldirectord.Convert(convert.Input{Files: []convert.File{{Name: "ldirectord.cf", Text: cf}}, Host: "lvs1", Dir: m.dir}, &report)
	secrets := func(path string) ([]byte, error) {
		for _, s := range result.Secrets {
			if s.Path == path {
				return s.Content, nil
			}
		}
		return nil, fmt.Errorf("no secret %s", path)
	}
	parsed, _, err := conf.ParseDraft("holdfast.toml", []byte(result.TOML()), secrets)
	if err != nil {
		m.t.Fatalf("%v\n%s", err, result.TOML())
	}
	set := checker.New(checker.Options{Tools: &probe.Tools{Clients: clients.All}})
	m.t.Cleanup(set.Close)
	all := parsed.Checks()
	if err := set.Apply(all); err != nil {
		m.t.Fatal(err)
	}
	for i := range checks {
		found := false
		for _, c := range all {
			if !strings.HasPrefix(c.ID, fmt.Sprintf("10.0.0.%d:", i+1)) {
				continue
			}
			found = true
			answer, err := set.Force(m.t.Context(), c.ID)
			if err != nil {
				m.t.Fatal(err)
			}
			reasons = append(reasons, answer.Reason)
		}
		if !found {
			m.t.Fatalf("no check of service %d in\n%s", i+1, result.TOML())
		}
	}
	return reasons
}
