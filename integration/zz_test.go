package integration_test

import (
	"testing"
	"time"

	"holdfast/integration/lab"
)

func TestZZ(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	v := keepVigil(t, p)
	ask(p)(5 * time.Millisecond)
	for range 25 {
		daemons[0].Stop()
		daemons[1].AwaitState(t, "MASTER")
		daemons[0].Restart()
		daemons[0].AwaitState(t, "MASTER")
		daemons[1].AwaitState(t, "BACKUP")
	}
	v.end(t)
}
