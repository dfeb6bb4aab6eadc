package conf

import "holdfast/checker/probe"

func visitDNS(t *table, s *probe.DNS, inherited probe.DNS) {
	field(t, "name", &s.Name, text, inherited.Name)
	field(t, "record", &s.Record, recordType, inherited.Record)
}

// recordType is a type of DNS record.
var recordType = wordOf(probe.RecordTypes())
