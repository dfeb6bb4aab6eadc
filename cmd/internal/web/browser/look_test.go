package browser

import (
	"path/filepath"
	"testing"
	"time"

	"holdfast/integration/chromium"
)

const drawn = `performance.getEntriesByName("holdfast-first").length > 0`

// axe finds nothing wrong, in no state of a director and in no view.
var begun = time.Now()

func TestAccessibility(t *testing.T) {
	browser := chromium.Start(t)
	t.Log(time.Since(begun), "started")
	for name, d := range directors(t) {
		tab := browser.Open(t, d.server.URL, chromium.Desktop)
		tab.Await(drawn)
		for _, v := range []chromium.View{chromium.Desktop, chromium.Desktop.InDark(), chromium.Telephone, chromium.Telephone.InDark()} {
			tab.Look(v)
			t.Log(time.Since(begun), name, v)
			for _, line := range tab.Violations() {
				t.Errorf("%s at %v: %s", name, v, line)
			}
			if wide := chromium.Eval[int](tab, "document.documentElement.scrollWidth"); wide > int(v.Width) {
				t.Errorf("%s at %v is %d wide", name, v, wide)
			}
			if *shots != "" {
				tab.Screenshot(filepath.Join(*shots, name+"-"+v.String()+".png"))
			}
		}
		if said := tab.Console(); len(said) > 0 {
			t.Errorf("%s: the console says %q", name, said)
		}
	}
}
