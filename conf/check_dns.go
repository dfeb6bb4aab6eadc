package conf

import "holdfast/checker/probe"

func visitDNS(t *table, s *probe.DNS, inherited probe.DNS) {
	field(t, "name", &s.Name, text, inherited.Name)
	field(t, "record", &s.Record, wordOf(probe.RecordTypes()), inherited.Record)
	field(t, "class", &s.Class, wordOf(probe.DNSClasses()), inherited.Class)
	field(t, "tcp", &s.TCP, boolean, inherited.TCP)
	field(t, "recursion", &s.Recursion, boolean, inherited.Recursion)
	field(t, "rcode", &s.RCode, listOf(wordOf(probe.RCodes())), inherited.RCode)
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
	field(t, "min_answers", &s.MinAnswers, integer[int](0, 1000), inherited.MinAnswers)
}
