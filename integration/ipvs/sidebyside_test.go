package ipvs_test

import (
	"flag"
	"testing"

	"holdfast/integration/sidebyside"
)

var everyCase = flag.Bool("sidebyside.all", false, "have TestSideBySide run every configuration, which takes some minutes")

// keepalived with each configuration of its package that has virtual servers, and holdfast
// with the converted one, do the same.
func TestSideBySide(t *testing.T) {
	sidebyside.RunAll(t, sidebyside.Chosen(*everyCase, sidebyside.Balancers...), 2) // a guest has one processor
}
