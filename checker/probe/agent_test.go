package probe

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// An agentServer sends one answer after another.
func agentServer(t *testing.T, answers ...string) Target {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	go func() {
		for _, answer := range answers {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	return at(l.Addr())
}

// Each answer says what counts from then on; what it does not mention stays.
func TestAgent(t *testing.T) {
	type want struct{ answer, reason, weight, warning string }
	tests := map[string][]want{
		"weights": {
			{answer: "75%\n", weight: "75%"}, {answer: "up\n", weight: "75%"}, {answer: "up 0%\r\n", weight: "0%"},
			{answer: "250%", weight: "250%"}, {answer: "ready,30%\tup\n", weight: "30%"},
		},
		"nothing of the weight": {{answer: "up\n"}},
		"down until up": {
			{answer: "down#disk full\n", reason: "the agent says down: disk full"}, {answer: "50%\n", reason: "the agent says down: disk full"},
			{answer: "up\n", weight: "50%"}, {answer: "FAIL\n", reason: "the agent says fail"}, {answer: "stopped\n", reason: "the agent says stopped"},
			{answer: "failed\n", reason: "the agent says failed"},
		},
		"drained until ready": {
			{answer: "60%\n", weight: "60%"}, {answer: "drain\n", weight: "0"}, {answer: "up\n", weight: "0"}, {answer: "ready\n", weight: "60%"},
		},
		"drained without a weight": {{answer: "drain\n", weight: "0"}, {answer: "ready up\n", weight: "100%"}},
		"in maintenance until ready": {
			{answer: "maint\n", reason: "the agent says maint"}, {answer: "up 50%\n", reason: "the agent says maint"}, {answer: "ready\n", weight: "50%"},
		},
		"ignored": {
			{answer: "up maxconn:30\n", warning: "holdfast ignores what the agent says of maxconn:30"}, {answer: "maxconn:30\n", warning: "holdfast ignores what the agent says of maxconn:30"},
			{answer: "up\n"}, {answer: "up sideways -5%\n", warning: "holdfast ignores what the agent says of sideways, -5%"},
		},
		"no agent": {
			{answer: "", reason: "answer: the server closed the connection too early"}, {answer: "220 mail ESMTP\n", reason: `answer: "220 mail ESMTP" is not what an agent says`},
			{answer: strings.Repeat("x", 2000), reason: `answer: "` + strings.Repeat("x", 60) + `"... (1024 bytes) has no end of line`},
		},
	}
	for name, wants := range tests {
		t.Run(name, func(t *testing.T) {
			var answers []string
			for _, w := range wants {
				answers = append(answers, w.answer)
			}
			p := newProber(t, Agent{}, agentServer(t, answers...))
			for _, want := range wants {
				weight, err := p.(Weigher).ProbeWeight(t.Context())
				got := want
				got.reason, got.weight, got.warning = "", "", p.(Warner).Warning()
				if err != nil {
					got.reason, got.warning = err.Error(), ""
				}
				if weight != nil {
					got.weight = weight.String()
				}
				if got != want {
					t.Errorf("after %q: %+v\nwant %+v", want.answer, got, want)
				}
			}
		})
	}
}

// An agent that nobody can ask fails the server, unless it is optional.
func TestAgentGone(t *testing.T) {
	to := at(closedPort(t))
	wantReason(t, ask(t, Agent{}, to), "connect: connection refused")
	if err := newProber(t, Agent{Optional: true}, to).Probe(t.Context()); !IsInconclusive(err) {
		t.Errorf("error %v", err)
	}
}

// A silent agent, and one that is told whom to answer for.
func TestAgentSend(t *testing.T) {
	to := answerAll(t, answerWeb)
	wantReason(t, ask(t, Agent{Send: "web\n"}, to), "")
	to.Timeout = hung
	wantReason(t, ask(t, Agent{}, to), "answer: timeout after 500ms")
}

// answerWeb answers "up" to the line "web".
func answerWeb(conn net.Conn) {
	if line, _ := bufio.NewReader(conn).ReadString('\n'); line == "web\n" {
		_, _ = io.WriteString(conn, "up\n")
	}
}
