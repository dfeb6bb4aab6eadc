package probe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An answer is what a program said of a server.
type answer struct {
	err     error  // why the server is not well
	warning string // what people should know although it is well
	weight  *Weight
}

// answer returns what a program that has ended said of the server that a monitor
// of mon knows as host.
func (s External) answer(e *Ended, host string) answer {
	switch s.Style {
	case StyleNagios:
		return nagiosAnswer(e)
	case StyleMon:
		return answer{err: monFailure(e, host, s.Subject.Hosts)}
	case StyleMisc:
		return s.miscAnswer(e)
	}
	a := answer{err: e.failure()}
	if a.err == nil && s.Weight == WeightFromOutput {
		a.weight, a.warning = outputWeight(e.line())
	}
	return a
}

// failure returns nil for exit status 0, otherwise the reason.
func (e *Ended) failure() error {
	if e.Status == 0 {
		return nil
	}
	reason := "exit status " + strconv.Itoa(e.Status)
	if e.Signal != "" {
		reason = "ended by signal: " + e.Signal
	}
	if line := e.line(); line != "" {
		reason += ": " + line
	}
	return errors.New(reason)
}

// nagiosAnswer follows the guidelines for Nagios plugins: the exit status is the
// verdict, and the first line of output says why. What no plugin should return is
// critical, as it is for Nagios.
func nagiosAnswer(e *Ended) answer {
	line, data, _ := strings.Cut(e.line(), "|") // performance data
	if line = strings.TrimSpace(line); line == "" {
		line = fmt.Sprintf("exit status %d without output%s", e.Status, data)
	}
	switch e.Status {
	case 0:
		return answer{}
	case 1:
		return answer{warning: line}
	case 2:
		return answer{err: errors.New(line)}
	case 3:
		return answer{err: Inconclusive(errors.New(line))}
	}
	return answer{err: e.failure()}
}

// miscAnswer follows keepalived.conf(5), MISC_CHECK: with misc_dynamic the exit
// statuses from 2 to 255 are well, and the weight is the status less 2. Status 0
// leaves the weight as it is.
func (s External) miscAnswer(e *Ended) answer {
	if s.Weight == WeightFromExit && e.Status >= 2 {
		return answer{weight: &Weight{Mode: Absolute, N: e.Status - 2}}
	}
	return answer{err: e.failure()}
}

// monFailure returns why a monitor of mon found that a host is not well. The first
// line of output names the hosts that failed. If it names none of hosts, which are
// all that it was asked for, the failure is everybody's.
func monFailure(e *Ended, host string, hosts []string) error {
	if e.Status == 0 {
		return nil
	}
	if e.Signal != "" {
		return e.failure()
	}
	summary, detail, _ := strings.Cut(strings.TrimLeft(string(e.Output), "\r\n"), "\n")
	failed := strings.Fields(summary)
	named := func(host string) bool {
		return slices.ContainsFunc(failed, func(word string) bool { return isHost(word, host) })
	}
	switch {
	case named(host):
		return errors.New(cmp.Or(monDetail(detail, host), monSummary(summary, append(slices.Clip(hosts), host))))
	case slices.ContainsFunc(hosts, named):
		return nil
	}
	return e.failure()
}

// isHost reports whether a word of the first line is a host. Some monitors add
// something to it: "192.0.2.1(2)", "192.0.2.1:80".
func isHost(word, host string) bool {
	rest, ok := strings.CutPrefix(word, host)
	return ok && (rest == "" || strings.ContainsRune("(,;/", rune(rest[0])) || rest[0] == ':' && !strings.Contains(host, ":"))
}

// monSummary returns the first line of a monitor if it says more than which hosts failed.
func monSummary(summary string, hosts []string) string {
	isName := func(word string) bool {
		return slices.ContainsFunc(hosts, func(host string) bool { return isHost(word, host) })
	}
	for word := range strings.FieldsSeq(summary) {
		if !isName(word) {
			return plainLine(summary)
		}
	}
	return "the monitor names it as failed"
}

// monDetail returns what the monitor says below the first line, preferably of the
// host; "" if that is nothing.
func monDetail(detail, host string) string {
	first := ""
	for line := range strings.Lines(detail) {
		line = plainLine(line)
		if strings.Trim(line, "-=* ") == "" { // a rule
			continue
		}
		if strings.Contains(line, host) {
			return line
		}
		if first == "" {
			first = line
		}
	}
	return first
}

// outputWeight returns the weight that a line begins with: 10 is the weight, 75%
// is a part of the configured one, and +3 and -3 are added to it.
func outputWeight(line string) (w *Weight, warning string) {
	word, _, _ := strings.Cut(line, " ")
	said, err := ParseWeight(word)
	if err != nil {
		return nil, fmt.Sprintf("the first line of output is %s, not a weight like 10, 75%% or -3", excerpt([]byte(line)))
	}
	return &said, ""
}
