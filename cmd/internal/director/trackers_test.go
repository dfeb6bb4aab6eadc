package director

import (
	"testing"

	"holdfast/cmd/internal/track"
	"holdfast/conf"
	"holdfast/lvs"
)

func TestServiceReading(t *testing.T) {
	c := parse(t, `
[[service]]
name = "web"
address = "10.0.0.100:80"
[[service.server]]
name = "a"
address = "10.1.0.1"
weight = 5
[[service.server]]
name = "b"
address = "10.1.0.2"
weight = 1
[[service.server]]
name = "c"
address = "10.1.0.3"
weight = 1
`)
	const up, down, unknown = lvs.Up, lvs.Down, lvs.Unknown
	tests := []struct {
		name        string
		quorum, sum int
		health      [3]lvs.Health
		known       bool
		want        track.Reading
	}{
		{"one is enough", 1, 0, [3]lvs.Health{down, down, up}, true, track.Reading{Up: true}},
		{"none", 1, 0, [3]lvs.Health{down, down, down}, true, track.Reading{Reason: "0 of 3 servers of web are up, 1 are needed"}},
		{"nobody knows", 1, 0, [3]lvs.Health{unknown, unknown, unknown}, false, track.Reading{}},
		{"the unknown could decide", 2, 0, [3]lvs.Health{up, unknown, down}, false, track.Reading{}},
		{"the unknown cannot help", 3, 0, [3]lvs.Health{up, unknown, down}, true, track.Reading{Reason: "1 of 3 servers of web are up, 3 are needed"}},
		{"the unknown do not matter", 1, 0, [3]lvs.Health{up, unknown, down}, true, track.Reading{Up: true}},
		{"weight", 1, 5, [3]lvs.Health{up, down, down}, true, track.Reading{Up: true}},
		{"too little weight", 1, 5, [3]lvs.Health{down, up, up}, true, track.Reading{Reason: "2 of 3 servers of web are up, 1 are needed; their weights sum up to 2, 5 is needed"}},
		{"weight unknown", 1, 5, [3]lvs.Health{unknown, up, up}, false, track.Reading{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			health := func(r lvs.Ref) lvs.Health {
				if r.Service != "web" {
					t.Errorf("asked for %v", r)
				}
				return tt.health[r.Server[0]-'a']
			}
			got, known := serviceReading(&conf.Track{Quorum: tt.quorum, QuorumSum: tt.sum}, &c.Services[0], health)
			if known != tt.known || known && got != tt.want {
				t.Errorf("got %+v, %v; want %+v, %v", got, known, tt.want, tt.known)
			}
		})
	}
}
