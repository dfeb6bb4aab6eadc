package conf

import (
	"time"

	"holdfast/checker/probe"
)

func visitNTP(t *table, s *probe.NTP, inherited probe.NTP) {
	field(t, "max_stratum", &s.MaxStratum, integer[int](1, 15), inherited.MaxStratum)
	field(t, "max_offset", &s.MaxOffset, duration(0, 24*time.Hour), inherited.MaxOffset)
}
