package ldirectord

import (
	"strconv"
	"strings"

	"holdfast/conf/convert"
)

// A service is what ldirectord can negotiate with.
type service struct {
	port uint16 // "": none
	// translate sets the type and the keys of a check. It returns false if nothing like
	// it can be asked; it has reported why.
	translate func(c *converter, v *virtual, ask request, check *convert.Table) bool
}

// services are the values of service=, with the ports by which they are chosen.
var services map[string]*service

func init() {
	services = map[string]*service{
		"ftp": {21, translateFTP}, "smtp": {25, named("smtp")}, "dns": {53, translateDNS}, "http": {80, translateHTTP},
		"pop": {110, login("pop")}, "nntp": {119, named("nntp")}, "imap": {143, login("imap")}, "ldap": {389, translateLDAP},
		"https": {443, translateHTTP}, "submission": {587, named("smtp")}, "ldaps": {636, translateLDAP},
		"pops": {995, login("pops")}, "imaps": {993, login("imaps")}, "oracle": {1521, translateOracle},
		"radius": {1812, translateRADIUS}, "http_proxy": {3128, translateHTTP}, "mysql": {3306, translateSQL("mysql")},
		"sip": {5060, translateSIP}, "pgsql": {5432, translateSQL("postgresql")}, "simpletcp": {0, translateTCP},
	}
}

// serviceOf returns the service of a port.
func serviceOf(port uint16) string {
	for name, s := range services {
		if s.port == port && port != 0 {
			return name
		}
	}
	return "none"
}

// check writes [service.check].
func (c *converter) check(v *virtual, ask request, check *convert.Table) {
	at := v.position("checktype")
	switch v.checkType {
	case "on":
		check.Set(at, "type", "none")
		return
	case "off":
		check.Set(at, "type", "none")
		if c.quiescent(v) {
			c.report.Note(at, "checktype=off: ldirectord never gives the servers traffic, so their weight is 0")
		}
		return
	case "ping":
		check.Set(at, "type", "ping")
	case "connect":
		c.connect(v, at, check)
	case "external", "external-perl":
		c.external(v, at, check)
	default:
		if !c.negotiateCheck(v, ask, check) {
			return
		}
	}
	c.pace(v, check)
}

func (c *converter) connect(v *virtual, at convert.Position, check *convert.Table) {
	if v.protocol == "udp" {
		check.Set(at, "type", "ping")
		c.report.Note(at, "checktype=connect of a udp service is a ping")
		return
	}
	check.Set(at, "type", "tcp")
}

// external translates a program. ldirectord runs the whole value as one name.
func (c *converter) external(v *virtual, at convert.Position, check *convert.Table) {
	style := "ldirectord"
	if v.checkType == "external-perl" {
		style = "ldirectord-perl"
	}
	check.Set(at, "type", "external")
	check.Set(v.position("checkcommand"), "command", []string{v.command})
	check.Set(at, "style", style)
	if strings.ContainsAny(v.command, " \t") {
		c.report.Person(v.position("checkcommand"), "ldirectord takes %q for the name of one program, with its blanks, so the servers are down; write command = [\"PROGRAM\", \"ARGUMENT\"]", v.command)
	}
}

// negotiateCheck translates the check of a service; false if the server is not
// checked.
func (c *converter) negotiateCheck(v *virtual, ask request, check *convert.Table) bool {
	s := services[v.service]
	if s == nil {
		check.Set(v.position("service"), "type", "none")
		c.report.Note(v.position("service"), "ldirectord knows no check for port %s without service=, so the servers are always up; a check = { type = \"tcp\" } was probably meant", v.portText())
		return false
	}
	if !s.translate(c, v, ask, check) {
		check.Set(v.position("service"), "type", "none")
		return false
	}
	if v.checkType == "combined" {
		n, err := strconv.Atoi(v.connects)
		if err == nil && n > 0 {
			check.Set(v.position("checktype"), "negotiate_every", n+1)
		}
	}
	return true
}

// pace writes when the check is made. ldirectord asks one server after the other and
// then waits for the interval, so its own pace depends on how many there are.
func (c *converter) pace(v *virtual, check *convert.Table) {
	timeout := v.checkTimeout(&c.globals)
	at := v.position("checktimeout")
	if v.checkType == "negotiate" || v.checkType == "combined" {
		timeout, at = v.negotiateTimeout(&c.globals), v.position("negotiatetimeout")
	}
	if timeout > c.globals.interval {
		c.report.Note(at, "ldirectord waits up to %d s for an answer, longer than the interval of %d s; a check of holdfast ends with its interval", timeout, c.globals.interval)
		timeout = c.globals.interval
	}
	fall := orElse(v.failures, c.globals.failures)
	if v.checkType == "ping" || v.checkType == "connect" && v.protocol == "udp" {
		fall *= orElse(v.count, c.globals.count) // attempts of one check
	}
	if v.checkPort != "" && v.checkType != "ping" {
		check.Set(v.position("checkport"), "port", v.checkPortNumber())
	} else if n := v.defaultCheckPort(); n != 0 && v.checkType != "ping" && v.checkType != "external" && v.checkType != "external-perl" {
		check.Set(v.at, "port", int(n))
	}
	check.Set(c.globals.at["checkinterval"], "interval", secondsText(c.globals.interval))
	check.Set(at, "timeout", secondsText(timeout))
	check.Set(v.position("failurecount"), "fall", fall)
}

func secondsText(n int) string { return strconv.Itoa(n) + "s" }

func orElse(own, global int) int {
	if own < 0 {
		return global
	}
	return own
}

// checkTimeout and negotiateTimeout are each other's defaults.
func (v *virtual) checkTimeout(g *globals) int {
	return firstSet(v.check, v.negotiate, g.check, g.negotiate, 5)
}

func (v *virtual) negotiateTimeout(g *globals) int {
	return firstSet(v.negotiate, v.check, g.negotiate, g.check, 30)
}

func firstSet(values ...int) int {
	for _, n := range values {
		if n >= 0 {
			return n
		}
	}
	return 0
}

func (v *virtual) checkPortNumber() int {
	n, _ := strconv.Atoi(v.checkPort) // it was checked
	return n
}

// defaultCheckPort returns the port that ldirectord asks on servers without a port; 0
// if they have one.
func (v *virtual) defaultCheckPort() uint16 {
	for _, r := range v.reals {
		if r.address.Port() != 0 {
			return 0
		}
	}
	if s := services[v.service]; s != nil {
		return s.port
	}
	return 0
}

func (v *virtual) portText() string {
	if v.mark != "" {
		return "0"
	}
	return strconv.Itoa(int(v.address.Port()))
}

// named makes a translation that has only a type.
func named(kind string) func(*converter, *virtual, request, *convert.Table) bool {
	return func(_ *converter, v *virtual, _ request, check *convert.Table) bool {
		check.Set(v.position("service"), "type", kind)
		return true
	}
}

// login makes a translation with a user.
func login(kind string) func(*converter, *virtual, request, *convert.Table) bool {
	return func(c *converter, v *virtual, _ request, check *convert.Table) bool {
		check.Set(v.position("service"), "type", kind)
		c.user(v, check)
		if strings.HasSuffix(kind, "s") {
			unverified(v, check)
			c.report.Note(v.position("service"), "ldirectord finds a server down whose certificate is not of a CA of this machine, or not for its address; the file accepts any certificate, as for the other services: set verify = true in tls if yours are good")
		}
		if kind == "imap" && v.login == "" {
			c.report.Note(v.position("service"), "ldirectord finds every server well without login=, also one that refuses the connection; the file has the check that was probably meant, a greeting")
		}
		return true
	}
}

// user sets the user and the file of the password.
func (c *converter) user(v *virtual, check *convert.Table) {
	if v.login == "" {
		return
	}
	check.Set(v.position("login"), "user", v.login)
	if v.password != "" {
		check.Set(v.position("passwd"), "password_file", c.secret(v.position("passwd"), v.service, "password", v.password))
	}
}

// unverified turns the verification of certificates off: ldirectord accepts any of https
// and ldaps. Its Perl modules for imaps and pops did not verify before 2013.
func unverified(v *virtual, check *convert.Table) {
	check.Sub("tls", v.position("service")).Set(v.position("service"), "verify", false)
}

func translateHTTP(c *converter, v *virtual, ask request, check *convert.Table) bool {
	at := v.position("request")
	kind := v.service
	if kind == "http_proxy" {
		kind = "http"
	}
	check.Set(v.position("service"), "type", kind)
	if v.method != "GET" {
		check.Set(v.position("httpmethod"), "method", v.method)
	}
	path := "/" + strings.TrimLeft(ask.ask, "/")
	host := v.host
	switch url := strings.TrimPrefix(ask.ask, "/"); {
	case v.service == "http_proxy":
		check.Set(v.position("service"), "proxy", true)
		rest, isHTTP := strings.CutPrefix(url, "http://")
		if !isHTTP {
			c.report.Person(at, "http_proxy: the request must be a URL like \"http://www.example.com/\"")
			return false
		}
		host, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	case strings.HasPrefix(url, kind+"://"):
		c.report.Person(at, "ldirectord asks %s, and not the server: holdfast checks the server only", url)
		return false
	}
	if host != "" {
		check.Set(v.position("virtualhost"), "host", host)
	}
	if path != "/" {
		check.Set(at, "path", path)
	}
	if ask.expect != "" {
		check.Set(v.position("receive"), "body", ask.expect)
	}
	check.Set(v.position("service"), "redirects", 7)
	c.once("redirects", v.at, "ldirectord follows redirects to any host; holdfast follows those to the same host only, and takes another for the answer, which fails")
	if kind == "https" {
		unverified(v, check)
	}
	return true
}

func translateTCP(_ *converter, v *virtual, ask request, check *convert.Table) bool {
	check.Set(v.position("service"), "type", "tcp")
	if send := strings.TrimPrefix(ask.ask, "/"); send != "" {
		check.Set(v.position("request"), "send", strings.ReplaceAll(send, `\n`, "\n"))
	}
	if ask.expect != "" {
		check.Set(v.position("receive"), "expect", ask.expect)
	}
	return true
}

func translateFTP(c *converter, v *virtual, ask request, check *convert.Table) bool {
	check.Set(v.position("service"), "type", "ftp")
	check.Set(v.position("login"), "user", firstText(v.login, "anonymous"))
	check.Set(v.position("passwd"), "password_file", c.secret(v.position("passwd"), "ftp", "password", firstText(v.password, "ldirectord@localhost")))
	file := strings.TrimLeft(ask.ask, "/")
	switch {
	case ask.expect == "":
		c.report.Note(v.position("service"), "ldirectord finds every server well without receive=, also one that refuses the connection; the file has the check that was probably meant")
	case file == "":
		c.report.Note(v.position("service"), "ldirectord finds no server well without request=, because / is no file; the file has the check that was probably meant, a login")
		return true
	}
	if file != "" {
		check.Set(v.position("request"), "file", "/"+file)
	}
	if ask.expect != "" {
		check.Set(v.position("receive"), "expect", ask.expect)
	}
	return true
}

func translateDNS(c *converter, v *virtual, ask request, check *convert.Table) bool {
	check.Set(v.position("service"), "type", "dns")
	check.Set(v.position("request"), "name", firstText(strings.TrimPrefix(ask.ask, "/"), "."))
	check.Set(v.position("service"), "record", "A")
	if v.protocol == "tcp" {
		check.Set(v.position("protocol"), "transport", "tcp")
	}
	if ask.expect == "" {
		c.report.Note(v.position("service"), "ldirectord finds every server down without receive=, which must match an address; any address was probably meant")
		return true
	}
	check.Set(v.position("receive"), "expect", ask.expect)
	return true
}

func translateLDAP(c *converter, v *virtual, ask request, check *convert.Table) bool {
	check.Set(v.position("service"), "type", v.service)
	if v.login != "" && v.password != "" {
		c.user(v, check)
	}
	if base := strings.TrimPrefix(ask.ask, "/"); base != "" {
		check.Set(v.position("request"), "base", base)
	}
	if ask.expect != "" {
		check.Set(v.position("receive"), "expect", ask.expect)
		c.report.Note(v.position("receive"), "ldirectord compares receive with the name of the entry alone; holdfast compares it with the attributes too")
	}
	if v.service == "ldaps" {
		unverified(v, check)
	}
	return true
}

func translateSQL(kind string) func(*converter, *virtual, request, *convert.Table) bool {
	return func(c *converter, v *virtual, ask request, check *convert.Table) bool {
		check.Set(v.position("service"), "type", kind)
		query := strings.TrimPrefix(ask.ask, "/")
		if v.login == "" || query == "" {
			c.report.Note(v.position("service"), "ldirectord finds every server down without login= and request=; a check without a login was probably meant, and is what the file says now")
			return true
		}
		c.user(v, check)
		if v.database != "" {
			check.Set(v.position("database"), "database", v.database)
		}
		check.Set(v.position("request"), "query", query)
		if v.positions["receive"] != (convert.Position{}) {
			c.report.Note(v.position("receive"), "ldirectord does not look at receive= of a database: any row is good")
		}
		return true
	}
}

func translateRADIUS(c *converter, v *virtual, _ request, check *convert.Table) bool {
	check.Set(v.position("service"), "type", "radius")
	c.user(v, check)
	if v.secret != "" {
		check.Set(v.position("secret"), "secret_file", c.secret(v.position("secret"), "radius", "secret", v.secret))
	}
	return true
}

func translateSIP(c *converter, v *virtual, _ request, check *convert.Table) bool {
	check.Set(v.position("service"), "type", "sip")
	if v.login != "" {
		check.Set(v.position("login"), "uri", "sip:"+v.login)
	}
	if v.protocol == "tcp" {
		check.Set(v.position("protocol"), "transport", "tcp")
	}
	check.Set(v.position("service"), "code", []any{200})
	c.once("sip", v.at, "ldirectord wants the answer \"200 OK\" to the letter; holdfast takes any answer of the code 200")
	return true
}

func translateOracle(c *converter, v *virtual, _ request, _ *convert.Table) bool {
	c.report.Person(v.position("service"), "oracle: holdfast has no such check: use type = \"external\" with a program that logs in, for instance Oracle's sqlplus; the servers are not checked until then")
	return false
}

func firstText(values ...string) string {
	for _, s := range values {
		if s != "" {
			return s
		}
	}
	return ""
}
