package probe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// External runs a program, which says by its exit status whether the server is
// well.
type External struct {
	// Command is the absolute path of the program and its arguments. In the
	// arguments {address}, {port}, {server}, {service}, {service_address},
	// {service_port} and {mark} stand for what they name.
	Command     []string
	User, Group string   // that the program runs as; "": the default
	Environment []string // NAME=value, beside what the style gives
	Style       Style
	Weight      WeightFrom
	Host        HostAs // how a monitor of mon is told the server
	// Together has one run of a monitor of mon ask for all servers of the service.
	Together bool
	// Subject is set by For, as far as the program is told.
	Subject Subject
}

// A Style is a convention between a program and the one who runs it.
type Style string

// The styles.
const (
	StylePlain          Style = "plain"           // 0 is well; the server is in the environment
	StyleNagios         Style = "nagios"          // 0 ok, 1 warning, 2 critical, 3 unknown
	StyleMisc           Style = "misc"            // keepalived's MISC_CHECK
	StyleMon            Style = "mon"             // mon's monitors: the hosts are arguments
	StyleLdirectord     Style = "ldirectord"      // ldirectord's checktype external
	StyleLdirectordPerl Style = "ldirectord-perl" // ldirectord's checktype external-perl
)

// Styles returns all styles, in the order of the documentation.
func Styles() []Style {
	return []Style{StylePlain, StyleNagios, StyleMisc, StyleMon, StyleLdirectord, StyleLdirectordPerl}
}

// A WeightFrom is where a program gives the weight of the server.
type WeightFrom string

// Where a weight comes from.
const (
	WeightFromNone   WeightFrom = "none"
	WeightFromExit   WeightFrom = "exit"   // of a misc program: the exit status less 2
	WeightFromOutput WeightFrom = "output" // of a plain program: the first line, such as 10, 75% or -3
)

// A HostAs is how a monitor of mon is told which server to ask.
type HostAs string

// How a server is told.
const (
	HostAddress HostAs = "address"
	HostName    HostAs = "name" // that of the server in the configuration
	HostNone    HostAs = "none" // not at all, like ";;" in mon's configuration
)

// defaultExternal has no program yet.
var defaultExternal = External{Style: StylePlain, Weight: WeightFromNone, Host: HostAddress}

// Kind returns "external".
func (External) Kind() string { return "external" }

// Needs returns NeedsServer.
func (External) Needs() Needs { return NeedsServer }

// Validate implements Settings.
func (s External) Validate() FieldErrors {
	var errs FieldErrors
	switch {
	case len(s.Command) == 0:
		errs.Addf("command", "is required with type = \"external\"")
	case !filepath.IsAbs(s.Command[0]):
		errs.Addf("command", "must name a program by its absolute path, not %q", s.Command[0])
	}
	for _, v := range s.Environment {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" || strings.ContainsRune(v, 0) {
			errs.Addf("environment", "%q is not like NAME=value", v)
		}
	}
	switch {
	case s.Weight == WeightFromExit && s.Style != StyleMisc:
		errs.Addf("weight", `"exit" needs style = "misc": the exit statuses of other styles have a meaning already`)
	case s.Weight == WeightFromOutput && s.Style != StylePlain:
		errs.Addf("weight", `"output" needs style = "plain": the first line of other styles has a meaning already`)
	}
	if s.Style != StyleMon && s.Host != HostAddress {
		errs.Addf("host", `has no effect without style = "mon"`)
	}
	switch {
	case s.Together && s.Style != StyleMon:
		errs.Addf("together", `has no effect without style = "mon"`)
	case s.Together && s.Host == HostNone:
		errs.Addf("together", `has no effect with host = "none"`)
	case s.Together && s.mentions([]string{"address", "port", "server"}):
		errs.Addf("command", "must not name one server, because together = true asks for all of them")
	}
	return errs
}

// placeholders are what an argument can name, without the braces. The values are
// in the order of fill.
var placeholders = []string{"address", "port", "server", "service", "service_address", "service_port", "mark"}

// Placeholders returns the words that can stand in braces in the arguments of a
// program.
func Placeholders() []string { return slices.Clone(placeholders) }

// fill returns the arguments with what the placeholders stand for.
func (s External) fill(to Target) []string {
	pairs := make([]string, 0, 2*len(placeholders))
	for i, value := range s.facts(to) {
		pairs = append(pairs, "{"+placeholders[i]+"}", value)
	}
	r := strings.NewReplacer(pairs...)
	argv := slices.Clone(s.Command)
	for i := range argv[1:] {
		argv[i+1] = r.Replace(argv[i+1])
	}
	return argv
}

// facts are the values of the placeholders.
func (s External) facts(to Target) []string {
	about, address := &s.Subject, ""
	if a := to.Address.Addr(); a.IsValid() { // a server that is only checked may have a name alone
		address = a.String()
	}
	return []string{
		address, strconv.Itoa(int(to.Address.Port())), about.Server, about.Service,
		about.ServiceAddress, strconv.Itoa(int(about.ServicePort)), strconv.FormatUint(uint64(about.Mark), 10),
	}
}

// For implements Personal.
func (s External) For(about Subject, servers []Named) Settings {
	s.Subject = Subject{}
	if s.Style == StylePlain || s.mentions(placeholders[2:]) {
		s.Subject = about
	}
	switch s.Style {
	case StyleMon:
		s.Subject.Service = about.Service // MON_GROUP
		if s.Host == HostName {
			s.Subject.Server = about.Server
		}
		if s.Together {
			s.Subject.Hosts = s.hosts(servers)
		}
	case StyleLdirectord, StyleLdirectordPerl:
		s.Subject.ServiceAddress, s.Subject.ServicePort, s.Subject.Mark = about.ServiceAddress, about.ServicePort, about.Mark
	}
	return s
}

// mentions reports whether an argument has one of these placeholders.
func (s External) mentions(words []string) bool {
	return slices.ContainsFunc(s.Command, func(arg string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(arg, "{"+w+"}") })
	})
}

// host returns how a monitor of mon is told a server.
func (s External) host(v Named) string {
	if s.Host == HostName {
		return v.Name
	}
	return v.Address
}

func (s External) hosts(servers []Named) []string {
	all := make([]string, len(servers))
	for i, v := range servers {
		all[i] = s.host(v)
	}
	return all
}

// Program returns what to run for a server.
func (s External) Program(to Target) Program {
	p := Program{Argv: s.fill(to), User: s.User, Group: s.Group}
	p.Environment = append(p.Environment, "HOLDFAST_CHECK="+string(s.Style))
	switch s.Style {
	case StylePlain:
		p.Environment = append(p.Environment, s.environment(to)...)
	case StyleMon:
		p.Environment = append(p.Environment, s.monEnvironment()...)
		p.Argv = append(p.Argv, s.monHosts(to)...)
	case StyleLdirectord:
		p.Argv = append(p.Argv, s.ldirectordArguments(to)...)
	case StyleLdirectordPerl:
		p.Script = p.Argv[0]
		p.Argv = append(append([]string{perl, "-e", perlSub}, p.Argv...), s.ldirectordArguments(to)...)
	}
	p.Environment = append(p.Environment, s.Environment...)
	return p
}

// environment is what a plain program is told.
func (s External) environment(to Target) []string {
	facts := s.facts(to)
	all := make([]string, 0, len(facts)+2)
	for i, value := range facts {
		all = append(all, "HOLDFAST_"+strings.ToUpper(placeholders[i])+"="+value)
	}
	return append(all, "HOLDFAST_PROTOCOL="+s.Subject.Protocol,
		"HOLDFAST_TIMEOUT="+strconv.FormatFloat(to.Timeout.Seconds(), 'f', -1, 64))
}

// monEnvironment is what mon tells a monitor (mon(8)), with the folders that
// Debian's mon has. A service that is named GROUP:SERVICE is told as both.
func (s External) monEnvironment() []string {
	group, service, ok := strings.Cut(s.Subject.Service, ":")
	if !ok || group == "" || service == "" {
		group, service = s.Subject.Service, strings.TrimSuffix(filepath.Base(s.Command[0]), ".monitor")
	}
	return []string{
		"MON_GROUP=" + group, "MON_SERVICE=" + service,
		"MON_STATEDIR=/var/lib/mon", "MON_LOGDIR=/var/log/mon", "MON_CFBASEDIR=/etc/mon",
	}
}

// monHosts are the last arguments of a monitor.
func (s External) monHosts(to Target) []string {
	switch {
	case s.Host == HostNone:
		return nil
	case s.Together:
		return s.Subject.Hosts
	}
	return []string{s.monHost(to)}
}

// monHost is the argument that names the server of to.
func (s External) monHost(to Target) string {
	return s.host(Named{Name: s.Subject.Server, Address: to.Address.Addr().String()})
}

// ldirectordArguments are the virtual and the real server as ldirectord passes them:
// "mark 0" for a service by mark, IPv6 addresses in brackets (ldirectord(8)).
func (s External) ldirectordArguments(to Target) []string {
	virtual := bracketed(s.Subject.ServiceAddress)
	if s.Subject.Mark != 0 {
		virtual = strconv.FormatUint(uint64(s.Subject.Mark), 10)
	}
	return []string{
		virtual, strconv.Itoa(int(s.Subject.ServicePort)),
		bracketed(to.Address.Addr().String()), strconv.Itoa(int(to.Address.Port())),
	}
}

func bracketed(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}

const (
	perl = "/usr/bin/perl"
	// perlSub runs a file as the body of a subroutine, so that it may return.
	// ldirectord does so too, and uses no value that the subroutine returns.
	perlSub = `my $name = shift;
open my $file, "<", $name or die "cannot open $name: $!\n";
my $body = do { local $/; <$file> };
my $sub = eval "sub { $body\n}" or die $@;
$sub->(@ARGV);
exit 0;`
)

func (s External) prober(t *Tools, to Target) Prober {
	p := &externalProber{settings: s, programs: t.Programs, program: s.Program(to), timeout: to.Timeout}
	if s.SpeaksForAll() {
		p.history, p.onRun = new(monHistory), t.OnRun
	}
	if s.Together {
		return t.joints.member(p, s.monHost(to), to.Interval)
	}
	p.host = s.monHost(to)
	return p
}

// An externalProber runs a program for one server.
type externalProber struct {
	settings External
	programs Programs
	program  Program
	host     string // as a monitor of mon is told it
	timeout  time.Duration
	warning  string

	// For a monitor of mon that asks for all servers; the first is nil otherwise.
	history *monHistory
	onRun   func(MonRun)
}

// Probe implements Prober.
func (p *externalProber) Probe(ctx context.Context) error {
	_, err := p.ProbeWeight(ctx)
	return err
}

// ProbeWeight implements Weigher.
func (p *externalProber) ProbeWeight(ctx context.Context) (*Weight, error) {
	ended, err := p.run(ctx, p.program)
	if err != nil {
		return nil, err
	}
	a := p.settings.answer(&ended, p.host)
	if a.err == nil {
		p.warning = a.warning
	}
	return a.weight, a.err
}

// Warning implements Warner.
func (p *externalProber) Warning() string { return p.warning }

// run runs the program.
func (p *externalProber) run(ctx context.Context, program Program) (Ended, error) {
	if p.programs == nil {
		return Ended{}, Inconclusive(errNoPrograms)
	}
	if p.history != nil {
		program.Environment = slices.Concat(p.history.environment(), program.Environment)
	}
	ended, err := p.programs.Run(ctx, program)
	if p.history != nil && err == nil {
		p.ranMon(&ended)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("timeout after %v", p.timeout)
		if p.history != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			p.ranMon(&Ended{Status: 1, Output: []byte("\n" + err.Error() + "\n")})
		}
		return Ended{}, err
	case err != nil:
		return Ended{}, Inconclusive(err)
	}
	return ended, nil
}
