package ldirectord

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"holdfast/conf/convert"
)

// A virtual is a virtual service as ldirectord has read it.
type virtual struct {
	at       convert.Position
	comments []string
	ipv6     bool
	address  netip.AddrPort
	mark     string // "": by address
	protocol string // tcp, udp or fwm

	service   string // "": by the port
	checkType string // negotiate, connect, ping, on, off, external, external-perl or combined
	connects  string // with combined
	command   string
	checkPort string
	request   string
	receive   string
	method    string
	host      string // virtualhost
	login     string
	password  string
	database  string
	secret    string

	check, negotiate    int // timeouts in seconds; -1: not given
	count, failures     int // -1: not given
	scheduler, flags    string
	persistent, netmask string
	onePacket           bool
	quiescent, keep     *bool
	fallback            *fallback
	fallbackCommand     string
	name, comment       string
	mail                mailSettings
	reals               []real
	realLines           []line
	positions           map[string]convert.Position
}

// position returns where a directive stands, or else the virtual= line.
func (v *virtual) position(keyword string) convert.Position {
	if at, ok := v.positions[keyword]; ok {
		return at
	}
	return v.at
}

var (
	headIPv4 = convert.Pattern(`^(\d+\.\d+\.\d+\.\d+):([0-9A-Za-z_-]+)`)
	headName = convert.Pattern(`^([0-9A-Za-z._+-]+):([0-9A-Za-z_-]+)`)
	headMark = convert.Pattern(`^(\d+)`)
	headIPv6 = convert.Pattern(`^\[([0-9A-Fa-f:]+)\]:([0-9A-Za-z_-]+)`)
	word     = convert.Pattern(`\w+`)
	typeWord = convert.Pattern(`[\w-]+`)
	lowCase  = convert.Pattern(`[a-z]+`)
)

// readVirtual reads a block; nil if its address cannot be read.
func (c *converter) readVirtual(b *block) *virtual {
	v := &virtual{
		at: b.head.at, comments: b.comments, ipv6: strings.HasPrefix(b.head.text, "virtual6"),
		protocol: "tcp", checkType: "negotiate", command: "/bin/true", request: "/", method: "GET", scheduler: "wrr",
		check: -1, negotiate: -1, count: -1, failures: -1, positions: map[string]convert.Position{},
	}
	_, value, _ := split(b.head.text)
	host, port, ok := c.head(v, b.head.at, value)
	if !ok {
		return nil
	}
	for _, l := range b.lines {
		c.option(v, l)
	}
	if v.mark == "" && !c.listen(v, host, port) {
		return nil
	}
	for _, l := range v.realLines {
		_, value, _ := split(l.text)
		v.reals = append(v.reals, c.parseReals(l, value, v.ipv6)...)
	}
	return v
}

// head reads the value of virtual=.
func (c *converter) head(v *virtual, at convert.Position, value string) (host, port string, ok bool) {
	for _, pattern := range []*regexp.Regexp{headIPv4(), headName()} {
		if m := pattern.FindStringSubmatch(value); m != nil && (pattern == headName() || !v.ipv6) {
			return m[1], m[2], true
		}
	}
	if m := headMark().FindString(value); m != "" {
		v.mark, v.protocol, v.service = m, "fwm", "none"
		if strings.TrimSpace(value) != m {
			c.report.Note(at, "ldirectord takes %q for the firewall mark %s, because it has no port; an address and a port were probably meant", value, m)
		}
		return "", "", true
	}
	m := headIPv6().FindStringSubmatch(value)
	switch {
	case m == nil:
		refused(c.report, at, "%q is no address with a port, and no firewall mark", value)
		return "", "", false
	case !v.ipv6:
		refused(c.report, at, "an IPv6 address needs virtual6=")
		return "", "", false
	}
	return m[1], m[2], true
}

// listen resolves the address of the service, whose port may depend on its protocol.
func (c *converter) listen(v *virtual, host, port string) bool {
	if (port == "53" || port == "domain") && v.positions["protocol"] == (convert.Position{}) {
		v.protocol = "udp"
	}
	n, ok := c.port(v.at, port, v.protocol)
	if !ok {
		return false
	}
	a, ok := c.host(v.at, host, v.ipv6)
	if !ok {
		return false
	}
	v.address = netip.AddrPortFrom(a, n)
	return true
}

// options is what each directive of a virtual service means.
var options = map[string]func(c *converter, v *virtual, l line, value string){
	"real":  realOption(false),
	"real6": realOption(true),
	"request": text(func(v *virtual, s string) {
		v.request = s
		if !strings.HasPrefix(s, "/") {
			v.request = "/" + s
		}
	}),
	"receive":      text(func(v *virtual, s string) { v.receive = s }),
	"login":        text(func(v *virtual, s string) { v.login = s }),
	"passwd":       text(func(v *virtual, s string) { v.password = s }),
	"database":     text(func(v *virtual, s string) { v.database = s }),
	"secret":       text(func(v *virtual, s string) { v.secret = s }),
	"checkcommand": func(_ *converter, v *virtual, _ line, value string) { v.command = unquoted(value) },
	"fallbackcommand": func(_ *converter, v *virtual, _ line, value string) {
		v.fallbackCommand = unquoted(value)
	},
	"checktype": checkTypeOption,
	"checktimeout": func(c *converter, v *virtual, l line, value string) {
		if n := c.count(l, "", value); n > 0 {
			v.check = n
		}
	},
	"negotiatetimeout": func(c *converter, v *virtual, l line, value string) {
		if n := c.count(l, "", value); n > 0 {
			v.negotiate = n
		}
	},
	"checkcount": func(c *converter, v *virtual, l line, value string) {
		if n := c.count(l, "", value); n > 0 {
			v.count = n
		}
	},
	"failurecount": func(c *converter, v *virtual, l line, value string) {
		if n := c.count(l, "", value); n > 0 {
			v.failures = n
		}
	},
	"checkinterval": func(c *converter, _ *virtual, l line, _ string) {
		c.report.Note(l.at, "without fork=yes ldirectord ignores checkinterval here; put interval in [service.check] if it is meant")
	},
	"checkport": func(c *converter, v *virtual, l line, value string) {
		n, _ := number(value)
		if p, err := strconv.ParseUint(n, 10, 16); err != nil || p == 0 {
			refused(c.report, l.at, "%q is no port", value)
			return
		}
		v.checkPort = n
	},
	"scheduler": func(c *converter, v *virtual, l line, value string) {
		if v.scheduler = lowCase().FindString(value); v.scheduler == "" {
			refused(c.report, l.at, "%q is no scheduler", value)
		}
	},
	"schedflags": func(_ *converter, v *virtual, _ line, value string) { v.flags = strings.Fields(value + " -")[0] },
	"persistent": func(c *converter, v *virtual, l line, value string) {
		var ok bool
		if v.persistent, ok = number(value); !ok {
			refused(c.report, l.at, "%q is no number of seconds", value)
		}
	},
	"netmask":  func(_ *converter, v *virtual, _ line, value string) { v.netmask = value },
	"protocol": protocolOption,
	"ops":      func(c *converter, v *virtual, l line, value string) { v.onePacket = c.yes(l, "ops", value) },
	"service":  serviceOption,
	"httpmethod": func(c *converter, v *virtual, l line, value string) {
		v.method = strings.ToUpper(word().FindString(value))
		if v.method != "GET" && v.method != "HEAD" {
			refused(c.report, l.at, "httpmethod must be GET or HEAD")
			v.method = "GET"
		}
	},
	"virtualhost": func(_ *converter, v *virtual, _ line, value string) {
		v.host, _, _ = strings.Cut(strings.TrimPrefix(value, `"`), `"`)
	},
	"fallback":  fallbackOption(false),
	"fallback6": fallbackOption(true),
	"quiescent": func(c *converter, v *virtual, l line, value string) {
		yes := c.yes(l, "quiescent", value)
		v.quiescent = &yes
	},
	"cleanstop": func(c *converter, v *virtual, l line, value string) {
		keep := !c.yes(l, "cleanstop", value)
		v.keep = &keep
	},
	"emailalert": func(_ *converter, v *virtual, _ line, value string) { v.mail.to = unquoted(value) },
	"emailalertfreq": func(c *converter, v *virtual, l line, value string) {
		v.mail.every, v.mail.hasEvery = c.count(l, "emailalertfreq", value), true
	},
	"emailalertstatus": func(_ *converter, v *virtual, _ line, value string) { v.mail.states = value },
	"smtp":             func(_ *converter, v *virtual, _ line, value string) { v.mail.server = value },
	"monitorfile": func(c *converter, _ *virtual, l line, value string) {
		c.report.Person(l.at, "monitorfile: holdfast writes no file %s; its journal has every change: holdfast events", unquoted(value))
	},
	"load": func(c *converter, _ *virtual, l line, _ string) {
		c.report.Note(l.at, "ldirectord reads load and does nothing with it")
	},
	"servicename": func(_ *converter, v *virtual, _ line, value string) { v.name = value },
	"comment":     func(_ *converter, v *virtual, _ line, value string) { v.comment = value },
}

// option reads one line of a virtual service.
func (c *converter) option(v *virtual, l line) {
	keyword, value, _ := split(l.text)
	read := options[keyword]
	switch {
	case keyword == "connecttimeout":
		refused(c.report, l.at, "connecttimeout is now negotiatetimeout")
	case read == nil:
		refused(c.report, l.at, "it does not know %q in a virtual service", keyOf(l.text))
	default:
		v.positions[keyword] = l.at
		read(c, v, l, value)
	}
}

// text makes an option of a value in quotes.
func text(set func(*virtual, string)) func(*converter, *virtual, line, string) {
	return func(c *converter, v *virtual, l line, value string) {
		s, ok := quoted(value)
		if !ok {
			refused(c.report, l.at, "the value must be in quotes, and a # ends the line even between them")
			return
		}
		set(v, s)
	}
}

func realOption(ipv6 bool) func(*converter, *virtual, line, string) {
	return func(c *converter, v *virtual, l line, _ string) {
		if v.ipv6 != ipv6 {
			refused(c.report, l.at, "servers of virtual6= are real6=, those of virtual= are real=")
			return
		}
		v.realLines = append(v.realLines, l) // their ports are resolved when the protocol is known
	}
}

func fallbackOption(ipv6 bool) func(*converter, *virtual, line, string) {
	return func(c *converter, v *virtual, l line, value string) {
		if v.ipv6 != ipv6 {
			refused(c.report, l.at, "the fallback of virtual6= is fallback6=, that of virtual= is fallback=")
			return
		}
		v.fallback = c.parseFallback(l, value, ipv6)
	}
}

func checkTypeOption(c *converter, v *virtual, l line, value string) {
	if n, ok := number(value); ok {
		v.checkType, v.connects = "combined", n
		return
	}
	switch t := typeWord().FindString(value); t {
	case "connect", "negotiate", "ping", "on", "off", "external", "external-perl":
		v.checkType = t
	default:
		refused(c.report, l.at, "there is no checktype %q", value)
	}
}

func protocolOption(c *converter, v *virtual, l line, value string) {
	p := word().FindString(value)
	switch {
	case v.mark != "" && p != "fwm":
		refused(c.report, l.at, "the protocol of a firewall mark is fwm")
	case v.mark == "" && p != "tcp" && p != "udp":
		refused(c.report, l.at, "the protocol must be tcp or udp")
	default:
		v.protocol = p
	}
}

func serviceOption(c *converter, v *virtual, l line, value string) {
	s := word().FindString(value)
	if services[s] == nil && s != "none" {
		refused(c.report, l.at, "there is no service %q", s)
		return
	}
	v.service = s
}
