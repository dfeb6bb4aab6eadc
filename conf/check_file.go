package conf

import (
	"math"

	"holdfast/checker/probe"
)

func visitFile(t *table, s *probe.File, inherited probe.File) {
	field(t, "file", &s.File, optionalPath, inherited.File)
	field(t, "weight", &s.Weight, integer[int](-math.MaxInt32, math.MaxInt32), inherited.Weight)
	field(t, "reverse", &s.Reverse, boolean, inherited.Reverse)
	field(t, "missing", &s.Missing, integer[int](math.MinInt32, math.MaxInt32), inherited.Missing)
}
