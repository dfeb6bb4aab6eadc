package browser

import (
	"fmt"
	"path/filepath"
	"testing"

	"holdfast/integration/chromium"
)

// drawn is true once the page shows a director.
const drawn = `performance.getEntriesByName("holdfast-first").length > 0`

// All tests share a browser.
func TestPage(t *testing.T) {
	b := chromium.Start(t)
	for name, test := range map[string]func(*testing.T, *chromium.Browser){
		"accessibility": testAccessibility, "keyboard": testKeyboard, "scale": testScale, "live": testLive, "new page": testNewPage, "theme": testTheme,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// axe finds nothing wrong, and nothing is wider than the window: in no state of a
// director, in no view.
func testAccessibility(t *testing.T, b *chromium.Browser) {
	all := []chromium.View{chromium.Desktop, chromium.Desktop.InDark(), chromium.Telephone, chromium.Telephone.InDark()}
	views := map[string][]chromium.View{ // every theme and width with rows of every state; more takes long and shows no more
		"empty": all[:1], "busy": all[1:3], "failing": {all[0], all[3]}, "big": all[2:3],
	}
	for name, d := range directors(t) {
		tab := b.Open(t, d.server.URL, all[0])
		tab.Await(drawn)
		chromium.Eval[bool](tab, `document.querySelectorAll("#routers tr:first-child .toggle, #checks tr:first-child .toggle").forEach((b) => b.click()), true`)
		for _, v := range views[name] {
			tab.Look(v)
			for _, line := range tab.Violations() {
				t.Errorf("%s at %v: %s", name, v, line)
			}
		}
		for _, v := range all {
			tab.Look(v)
			if wide := chromium.Eval[int](tab, "document.documentElement.scrollWidth"); wide > int(v.Width) {
				t.Errorf("%s at %v is %d wide", name, v, wide)
			}
			if *shots != "" {
				tab.Screenshot(filepath.Join(*shots, fmt.Sprintf("%s-%v.png", name, v)))
			}
		}
		if said := tab.Console(); len(said) > 0 {
			t.Errorf("%s: the console says %q", name, said)
		}
	}
}
