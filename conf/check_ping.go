package conf

import "holdfast/checker/probe"

func visitPing(t *table, s *probe.Ping, inherited probe.Ping) {
	field(t, "size", &s.Size, integer[int](8, 65507), inherited.Size)
}
