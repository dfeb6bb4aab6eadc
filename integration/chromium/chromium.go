// Package chromium runs Debian's headless Chromium for tests of the status page.
package chromium

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"holdfast/integration/tools"
)

// Capability is the name of a browser with axe-core in HOLDFAST_REQUIRE.
const Capability = "web"

// axeFile is the script of axe-core in the cache: integration/tools/install.sh fetches it.
const axeFile = "axe-core-4.13.0/axe.min.js"

// A Browser is a running Chromium. Each Tab is a page of it with a storage of its own.
type Browser struct {
	ctx context.Context
	axe string
}

// Start starts a browser that ends with the test. Without Chromium or axe-core the test
// ends.
func Start(t *testing.T) *Browser {
	t.Helper()
	program, err := tools.Find("chromium-headless-shell")
	if err != nil {
		tools.Without(t, Capability, err)
	}
	axe, err := os.ReadFile(filepath.Join(tools.Cache(), axeFile))
	if err != nil {
		tools.Without(t, Capability, fmt.Sprintf("axe-core is missing (run `make tools` with npm): %v", err))
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU) // root has no sandbox
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() { cancel(); end() })
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return &Browser{ctx, string(axe)}
}

// A View is how a page is looked at.
type View struct {
	Width, Height int64
	Dark          bool
	Mobile        bool
}

// The views of the tests.
var (
	Desktop   = View{Width: 1280, Height: 900}
	Telephone = View{Width: 390, Height: 844, Mobile: true}
)

// String returns the view as part of a name: "390-dark".
func (v View) String() string {
	theme := "light"
	if v.Dark {
		theme = "dark"
	}
	return fmt.Sprintf("%d-%s", v.Width, theme)
}

// InDark returns the view in dark colours.
func (v View) InDark() View {
	v.Dark = true
	return v
}

// A Tab is an open page.
type Tab struct {
	t   testing.TB
	ctx context.Context
	axe string

	mu   sync.Mutex
	said []string // errors and warnings on the console
}

// Open opens an address. The tab ends with the test.
func (b *Browser) Open(t testing.TB, address string, v View) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	ctx, late := context.WithTimeout(ctx, 2*time.Minute)
	tab := &Tab{t: t, ctx: ctx, axe: b.axe}
	messages := chromedp.Console(ctx)
	var heard sync.WaitGroup
	heard.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			tab.hear(m)
		}
	})
	t.Cleanup(func() { late(); cancel(); heard.Wait() })
	tab.Look(v)
	tab.do(chromedp.Navigate(address))
	return tab
}

// Look changes how the page is looked at.
func (tab *Tab) Look(v View) {
	tab.t.Helper()
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(tab.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: v.Width, Height: v.Height, DeviceScaleFactor: 1, Mobile: v.Mobile,
	})
	if err == nil {
		_, err = chromedp.Call(tab.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
	}
	if err != nil {
		tab.t.Fatalf("look at the page as %v: %v", v, err)
	}
}

func (tab *Tab) hear(m chromedp.ConsoleMessage) {
	switch m.Type {
	case chromedp.ConsoleException, "error", "warning", "assert":
		tab.mu.Lock()
		defer tab.mu.Unlock()
		tab.said = append(tab.said, m.Text)
	}
}

// Console returns the errors and warnings on the console, such as violations of the
// Content-Security-Policy.
func (tab *Tab) Console() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.said)
}

// do does what chromedp can do, and ends the test if it cannot.
func (tab *Tab) do(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, actions...); err != nil {
		tab.t.Fatalf("%v; the console says %q", err, tab.Console())
	}
}

// Eval returns the value of a JavaScript expression, for which it waits if it is a
// promise.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	value, err := chromedp.Run(tab.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tab.t.Fatalf("%.200s: %v", expression, err)
	}
	return value
}

// Await waits until a JavaScript expression is true, also in a page that loads itself
// again meanwhile.
func (tab *Tab) Await(expression string) {
	tab.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for late := time.After(time.Minute); ; {
		done, err := chromedp.Run(tab.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && done {
			return
		}
		select {
		case <-look.C:
		case <-late:
			text, _ := chromedp.Run(tab.ctx, chromedp.Evaluate[string]("document.body.innerText.slice(0, 2000)"))
			tab.t.Fatalf("%s does not become true (%v); the console says %q; the page: %s", expression, err, tab.Console(), text)
		}
	}
}

// Press presses keys, one after another.
func (tab *Tab) Press(keys ...string) {
	tab.t.Helper()
	for _, key := range keys {
		tab.do(chromedp.KeyEvent(key))
	}
}

// Reload loads the page again.
func (tab *Tab) Reload() {
	tab.t.Helper()
	tab.do(chromedp.Reload())
}

// Screenshot writes a picture of the whole page to a file.
func (tab *Tab) Screenshot(path string) {
	tab.t.Helper()
	picture, err := chromedp.Run(tab.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(path, picture, 0o644)
	}
	if err != nil {
		tab.t.Fatal(err)
	}
}

// Violations are what axe-core finds wrong in the page as it is now, a line for each
// element.
func (tab *Tab) Violations() []string {
	tab.t.Helper()
	tab.do(chromedp.Evaluate[chromedp.Void](tab.axe))
	found := Eval[string](tab, `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations))`)
	var rules []struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			Target  []any  `json:"target"`
			Summary string `json:"failureSummary"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(found), &rules); err != nil {
		tab.t.Fatal(err)
	}
	var lines []string
	for _, r := range rules {
		for _, n := range r.Nodes {
			lines = append(lines, fmt.Sprintf("%s: %s: %v: %s", r.ID, r.Help, n.Target, strings.Join(strings.Fields(n.Summary), " ")))
		}
	}
	return lines
}
