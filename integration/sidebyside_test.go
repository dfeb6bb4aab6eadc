package integration_test

import (
	"flag"
	"slices"
	"testing"

	"holdfast/integration/sidebyside"
)

var (
	sideAll     = flag.Bool("sidebyside.all", false, "have TestSideBySide run every configuration")
	sideFile    = flag.String("sidebyside.conf", "", "run the test TestSideBySide with this keepalived.conf alone, which has no virtual servers")
	sideMasters = flag.Int("sidebyside.masters", 1, "the number of instances of that file that become MASTER")
)

// keepalived with each configuration of its package that needs no IPVS, and holdfast with
// the converted one, do the same.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	cases := sidebyside.Chosen(*sideAll, slices.Concat(sidebyside.Routers, sidebyside.Field)...)
	if *sideFile != "" {
		cases = []sidebyside.Case{{Name: "file", File: *sideFile, Masters: *sideMasters}}
	}
	sidebyside.RunAll(t, cases, len(cases))
}
