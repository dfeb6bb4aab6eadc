package conf

import "holdfast/checker/probe"

func visitCheckBFD(t *table, s *probe.BFD, inherited probe.BFD) {
	field(t, "bfd", &s.Session, optional(name), inherited.Session)
	if t.reading() && !t.has("bfd") && s.Session == "" {
		t.lack("bfd", `is required with type = "bfd"`)
	}
}
