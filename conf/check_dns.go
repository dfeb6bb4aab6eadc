package conf

import "holdfast/checker/probe"

func visitDNS(t *table, s *probe.DNS, inherited probe.DNS) {
	field(t, "name", &s.Name, text, inherited.Name)
	field(t, "record", &s.Record, oneOf(probe.RecordTypes()), inherited.Record)
	field(t, "class", &s.Class, oneOf(probe.DNSClasses()), inherited.Class)
	field(t, "tcp", &s.TCP, boolean, inherited.TCP)
	field(t, "recursion", &s.Recursion, boolean, inherited.Recursion)
	field(t, "rcode", &s.RCode, listOf(oneOf(probe.RCodes())), inherited.RCode)
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
	field(t, "min_answers", &s.MinAnswers, integer[int](0, 1000), inherited.MinAnswers)
}

// oneOf is one of a few words.
func oneOf(words []string) codec[string] {
	options := make([]option[string], len(words))
	for i, word := range words {
		options[i] = option[string]{word, word}
	}
	return choice(options...)
}
