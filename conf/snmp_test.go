package conf

import "testing"

func TestAgentXDial(t *testing.T) {
	for text, want := range map[AgentX][2]string{
		"/var/agentx/master":      {"unix", "/var/agentx/master"},
		"/odd:path":               {"unix", "/odd:path"},
		"unix:/var/agentx/master": {"unix", "/var/agentx/master"},
		"tcp:localhost:705":       {"tcp", "localhost:705"},
		"tcp:[::1]:705":           {"tcp", "[::1]:705"},
		"tcp6:[::1]:705":          {"tcp6", "[::1]:705"},
	} {
		if network, address := text.Dial(); network != want[0] || address != want[1] {
			t.Errorf("%s: %s %s", text, network, address)
		}
		if _, ok := agentX.decode(value{data: string(text)}, func(_ value, message string) { t.Errorf("%s: %s", text, message) }); !ok {
			t.Errorf("%s is refused", text)
		}
	}
}
