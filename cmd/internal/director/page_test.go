package director

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/web"
	"holdfast/conf"
)

// Two directors with the same list of peers show each other, and none shows itself twice.
func TestPagePeers(t *testing.T) {
	list := []conf.PagePeer{{Name: "lvs1", URL: "http://192.168.0.2:9650"}, {Name: "lvs2", URL: "http://192.168.0.3:9650"}}
	for name, want := range map[string]web.Peer{
		"lvs1": {Name: "lvs2", URL: "http://192.168.0.3:9650"},
		"lvs2": {Name: "lvs1", URL: "http://192.168.0.2:9650"},
	} {
		got := pagePeers(&conf.Config{Director: conf.Director{Name: name}, Page: conf.Page{Peers: list}})
		if diff := cmp.Diff([]web.Peer{want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
