package integration_test

import (
	"testing"

	"holdfast/integration/sidebyside"
)

// keepalived with each configuration of its package that needs no IPVS, and holdfast with
// the converted one, do the same.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	sidebyside.RunAll(t, sidebyside.Routers, len(sidebyside.Routers))
}
