// Package doctor looks at the machine of a director and says what will keep the
// configuration from working, why that matters, and how to cure it.
//
// A diagnosis is a file: its facts, a function that gathers them from the machine, and
// a function that judges them and reads nothing else. The list diagnoses puts them in
// order. A new diagnosis is one new file and one line there.
//
// Nothing here changes the machine but the remedies of [Report.Fix].
package doctor

import (
	"context"
	"fmt"
	"slices"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// Version is the version of the JSON form of a Report.
const Version = 1

// diagnoses are all diagnoses, in the order of their findings.
var diagnoses = []diagnosis{
	of("capabilities", lookAtCapabilities, judgeCapabilities),
	of("modules", lookAtModules, judgeModules),
	of("directories", lookAtDirectories, judgeDirectories),
	of("forwarding", lookAtForwarding, judgeForwarding),
	of("interface settings", lookAtSettings, judgeSettings),
	of("ipvs settings", lookAtIPVS, judgeIPVS),
	of("firewall", lookAtFirewall, judgeFirewall),
	of("bridges", lookAtBridges, judgeBridges),
	of("paths", lookAtPaths, judgePaths),
	of("network managers", lookAtManagers, judgeManagers),
	of("clock", lookAtClock, judgeClock),
	of("watchdog", lookAtWatchdog, judgeWatchdog),
	of("tunnels", lookAtTunnels, judgeTunnels),
	of("addresses", lookAtAnswers, judgeAnswers),
	of("virtual mac", lookAtFilter, judgeFilter),
}

// A Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // something does not work, or will not at the next failover
	Warning Severity = "warning" // it may not
	Note    Severity = "note"    // worth knowing; all may be well
)

// A Finding is something that is wrong with the machine.
type Finding struct {
	Diagnosis string   `json:"diagnosis"`
	Severity  Severity `json:"severity"`
	What      string   `json:"what"`           // with the names and values seen
	Why       string   `json:"why,omitempty"`  // what comes of it
	Cure      string   `json:"cure,omitempty"` // a command or a key
	Fixed     string   `json:"fixed,omitempty"`
	FixError  string   `json:"fix_error,omitempty"`

	fix func(context.Context) (did string, err error) // nil: not ours to fix
}

// A Blind is a diagnosis that could not be made.
type Blind struct {
	Diagnosis string `json:"diagnosis"`
	Why       string `json:"why"`
}

// A Report has what all diagnoses found, the worst first.
type Report struct {
	Version  int       `json:"version"`
	Findings []Finding `json:"findings"`
	Blind    []Blind   `json:"blind"`
}

// A Patient is a director: its configuration, and the status of its daemon.
type Patient struct {
	Config *conf.Config
	Status *status.Status // nil: no daemon runs
}

// A diagnosis is one thing that the doctor looks at.
type diagnosis struct {
	name string
	make func(context.Context, *Patient) ([]Finding, error)
}

// of returns a diagnosis. Facts that come with an error are judged as well.
func of[F any](name string, look func(context.Context, *Patient) (F, error), judge func(*Patient, F) []Finding) diagnosis {
	return diagnosis{name, func(ctx context.Context, p *Patient) ([]Finding, error) {
		facts, err := look(ctx, p)
		return judge(p, facts), err
	}}
}

// Examine makes all diagnoses at once. It changes nothing.
func Examine(ctx context.Context, p *Patient) *Report {
	type result struct {
		findings []Finding
		err      error
	}
	results := make([]chan result, len(diagnoses))
	for i, d := range diagnoses {
		results[i] = make(chan result, 1)
		go func() {
			findings, err := d.make(ctx, p)
			results[i] <- result{findings, err}
		}()
	}
	r := &Report{Version: Version, Findings: []Finding{}, Blind: []Blind{}}
	for i, d := range diagnoses {
		got := <-results[i]
		for _, f := range got.findings {
			f.Diagnosis = d.name
			r.Findings = append(r.Findings, f)
		}
		if got.err != nil {
			r.Blind = append(r.Blind, Blind{d.name, got.err.Error()})
		}
	}
	r.sort()
	return r
}

// Add puts findings of the caller before the others of their severity.
func (r *Report) Add(findings ...Finding) {
	r.Findings = append(slices.Clone(findings), r.Findings...)
	r.sort()
}

func (r *Report) sort() {
	order := []Severity{Error, Warning, Note}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return slices.Index(order, a.Severity) - slices.Index(order, b.Severity)
	})
}

// Fix carries out the remedies that are ours, and notes what each did.
func (r *Report) Fix(ctx context.Context) {
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.fix == nil {
			continue
		}
		did, err := f.fix(ctx)
		f.Fixed = did
		if err != nil {
			f.FixError = err.Error()
		}
	}
}

// Fixable counts the findings that Fix can do something about.
func (r *Report) Fixable() (n int) {
	for _, f := range r.Findings {
		if f.fix != nil && f.Fixed == "" {
			n++
		}
	}
	return n
}

// Well reports whether nothing is wrong: every error and every warning is fixed.
func (r *Report) Well() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity != Note && f.Fixed == "" })
}

// master reports whether the daemon says that a virtual router is MASTER here.
func (p *Patient) master(name string) bool { return p.state(name) == "MASTER" }

// state returns the state of a virtual router; "" if no daemon runs it.
func (p *Patient) state(name string) string {
	if p.Status == nil {
		return ""
	}
	for _, in := range p.Status.VRRP {
		if in.Name == name {
			return in.State
		}
	}
	return ""
}

// count says how many there are of something.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
