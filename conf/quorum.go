package conf

import (
	"time"

	"holdfast/lvs"
)

// visitQuorum visits the keys that say when the service is up.
func (s *Service) visitQuorum(t *table) {
	field(t, "quorum", &s.Quorum, integer[int](1, 1<<31-1), 1)
	field(t, "hysteresis", &s.Hysteresis, integer[int](0, 1<<31-1), 0)
}

// visitFallback visits the keys that say how traffic comes to a server that was down,
// and what takes it while the service is down. servers is the forwarding method of the
// servers.
func (s *Service) visitFallback(t *table, servers lvs.Forward) {
	field(t, "slow_start", &s.SlowStart, wholeSeconds(duration(0, time.Hour)), 0)
	field(t, "fallback", &s.Fallbacks, oneOrMore(serverAddress(s.port())), nil)
	if t.reading() || len(s.Fallbacks) > 0 {
		field(t, "fallback_forward", &s.FallbackForward, forward, servers)
	}
	if t.reading() && !t.has("fallback") {
		t.forbid("without a fallback", "fallback_forward")
		s.FallbackForward = 0
	}
}

// visit visits [service.notify].
func (n *ServiceNotify) visit(t *table) {
	n.ServerNotify.visit(t, ServerNotify{Timeout: notifyTimeout})
	field(t, "quorum_up", &n.QuorumUp, command, Command{})
	field(t, "quorum_down", &n.QuorumDown, command, Command{})
	field(t, "fallback", &n.Fallback, command, Command{})
	field(t, "down_at_stop", &n.DownAtStop, boolean, false)
}
