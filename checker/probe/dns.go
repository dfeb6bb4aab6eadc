package probe

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS asks a question (RFC 1035), over UDP or TCP. A truncated answer over UDP is asked
// for again over TCP if its records matter.
type DNS struct {
	Name   string // domain name, with or without the dot at its end
	Record string // the type of record that is asked for, in capitals: "A", "SOA"
	Class  string // "IN", "CH" or "HS"
	TCP    bool
	// Recursion sets the flag RD. Without it a resolver answers from its cache only.
	Recursion bool
	RCode     []string // response codes of which the answer must have one
	// Expect is a regular expression that the data of one record of the answer must
	// match, as zone files write it, but texts without quotes and joined. "": any
	// records, or none.
	Expect     string
	MinAnswers int // how many records of the type the answer must have
}

// defaultDNS asks what every name server and resolver can answer.
var defaultDNS = DNS{Name: ".", Record: "SOA", Class: "IN", Recursion: true, RCode: []string{"NOERROR"}}

// recordTypes are the types of record that a check can ask for.
var recordTypes = []struct {
	name string
	code dnsmessage.Type
}{
	{"A", dnsmessage.TypeA},
	{"AAAA", dnsmessage.TypeAAAA},
	{"ANY", dnsmessage.TypeALL},
	{"CAA", 257}, // RFC 8659
	{"CNAME", dnsmessage.TypeCNAME},
	{"DNSKEY", 48}, // RFC 4034
	{"DS", 43},     // RFC 4034
	{"HTTPS", 65},  // RFC 9460
	{"MX", dnsmessage.TypeMX},
	{"NAPTR", 35}, // RFC 3403
	{"NS", dnsmessage.TypeNS},
	{"PTR", dnsmessage.TypePTR},
	{"SOA", dnsmessage.TypeSOA},
	{"SRV", dnsmessage.TypeSRV},
	{"SVCB", 64}, // RFC 9460
	{"TXT", dnsmessage.TypeTXT},
}

// RecordTypes returns the names of the types of record that a DNS check can ask
// for.
func RecordTypes() []string {
	names := make([]string, len(recordTypes))
	for i, r := range recordTypes {
		names[i] = r.name
	}
	return names
}

// dnsClasses are the classes that a check can ask in. CH is where name servers tell of
// themselves: version.bind, id.server.
var dnsClasses = map[string]dnsmessage.Class{"IN": dnsmessage.ClassINET, "CH": dnsmessage.ClassCHAOS, "HS": dnsmessage.ClassHESIOD}

// DNSClasses returns the classes that a DNS check can ask in.
func DNSClasses() []string { return []string{"IN", "CH", "HS"} }

// Kind returns "dns".
func (DNS) Kind() string { return "dns" }

// Needs returns NeedsPort.
func (DNS) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s DNS) Validate() FieldErrors {
	var errs FieldErrors
	if _, _, err := s.query(); err != nil {
		errs.Addf("name", "%q is not a domain name", s.Name)
	}
	if s.record() == 0 {
		errs.Addf("record", "must be one of %s, not %q", strings.Join(RecordTypes(), " "), s.Record)
	}
	if dnsClasses[s.Class] == 0 {
		errs.Addf("class", "must be one of %s, not %q", strings.Join(DNSClasses(), " "), s.Class)
	}
	if len(s.RCode) == 0 {
		errs.Addf("rcode", "at least one response code is needed")
	}
	for _, name := range s.RCode {
		if !slices.Contains(rcodes, name) {
			errs.Addf("rcode", "must be of %s, not %q", strings.Join(rcodes, " "), name)
		}
	}
	errs.pattern("expect", s.Expect)
	if s.MinAnswers < 0 {
		errs.Addf("min_answers", "must not be negative, like %d", s.MinAnswers)
	}
	return errs
}

// record returns the code of the type of record; 0 if it is unknown.
func (s DNS) record() dnsmessage.Type {
	for _, r := range recordTypes {
		if r.name == s.Record {
			return r.code
		}
	}
	return 0
}

// query returns the question and the packed message that asks it, with ID 0. It
// fails if the name is not a domain name.
func (s DNS) query() (dnsmessage.Question, []byte, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(s.Name, ".") + ".")
	if err != nil {
		return dnsmessage.Question{}, nil, err
	}
	q := dnsmessage.Question{Name: name, Type: s.record(), Class: dnsClasses[s.Class]}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{RecursionDesired: s.Recursion},
		Questions: []dnsmessage.Question{q},
	}
	packed, err := m.Pack()
	return q, packed, err
}

// rcodes are the names of response codes in the registry of the IANA, by code.
var rcodes = []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"}

// RCodes returns the names of the response codes that a DNS check can accept.
func RCodes() []string { return slices.Clone(rcodes) }

// codeName returns the name of a response code.
func codeName(code dnsmessage.RCode) string {
	if int(code) < len(rcodes) {
		return rcodes[code]
	}
	return fmt.Sprintf("code %d", code)
}
