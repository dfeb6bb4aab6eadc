package ipvs_test

import (
	"testing"

	"holdfast/integration/sidebyside"
)

// keepalived with each configuration of its package that has virtual servers, and holdfast
// with the converted one, do the same.
func TestSideBySide(t *testing.T) {
	sidebyside.RunAll(t, sidebyside.Balancers, 3)
}
