package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/integration/chromium"
)

// focused is the element that has the focus: its id, or its text.
const focused = `(() => { const e = document.activeElement; return e.id || e.innerText || e.tagName; })()`

// Everything can be done by keyboard alone: the first key leads past the header, filter,
// rows and pages follow, and the focus is always visible and never lost in an update.
func testKeyboard(t *testing.T, b *chromium.Browser) {
	d := newDirector(t, func(n uint64) *status.Status {
		s := bigStatus(n)
		s.VRRP, s.LVS.Services, s.Checks = s.VRRP[:100], s.LVS.Services[:3], s.Checks[:30] // which is looked at more often
		return s
	}, nil)
	tab := b.Open(t, d.server.URL, chromium.Desktop)
	tab.Await(drawn)
	tab.Press("\t")
	if got := chromium.Eval[string](tab, "document.activeElement.className"); got != "skip" {
		t.Fatalf("the first stop is %q", got)
	}
	tab.Press("\r")
	if got := chromium.Eval[string](tab, focused); got != "main" {
		t.Fatalf("the skip link leads to %q", got)
	}
	var stops []string
	for range 40 {
		tab.Press("\t")
		at := chromium.Eval[string](tab, focused)
		stops = append(stops, at)
		if !chromium.Eval[bool](tab, `getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
			t.Errorf("nobody sees that %q has the focus", at)
		}
		if at == "customer-0000" {
			break
		}
	}
	for _, want := range []string{"Virtual routers", "search", "unwell", "window", "customer-0000"} {
		if !slices.ContainsFunc(stops, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("Tab does not reach %s: %q", want, stops)
		}
	}
	tab.Press("\r")
	tab.Await(`document.activeElement.getAttribute("aria-expanded") === "true" && document.getElementById(document.activeElement.getAttribute("aria-controls")).innerText.includes("VRRP version 3")`)
	looks := chromium.Eval[int](tab, `performance.getEntriesByName("holdfast-update").length`)
	tab.Await(fmt.Sprintf(`performance.getEntriesByName("holdfast-update").length > %d + 1`, looks))
	if got := chromium.Eval[string](tab, focused); got != "customer-0000" {
		t.Errorf("after updates %q has the focus", got)
	}
	chromium.Eval[bool](tab, `document.querySelector("#routers .pager button:last-child").focus(), true`)
	tab.Press("\r")
	tab.Await(`document.querySelector("#routers-grid tbody .name").innerText === "customer-0025"`)
	chromium.Eval[bool](tab, `document.getElementById("search").focus(), true`)
	tab.Press("0", "0", "7", "7")
	tab.Await(`document.querySelectorAll("#routers-grid tbody tr").length === 1 && document.querySelector("#routers-grid .name").innerText === "customer-0077"`)
}

// With 1,000 virtual routers and 5,000 servers the page is there at once, and stays
// responsive. The log has the times; the bounds are for machines under load.
func testScale(t *testing.T, b *chromium.Browser) {
	d := newDirector(t, bigStatus, nil)
	tab := b.Open(t, d.server.URL, chromium.Desktop)
	tab.Await(`performance.getEntriesByName("holdfast-update").length >= 1`)
	first := chromium.Eval[float64](tab, `performance.getEntriesByName("holdfast-first").map((m) => m.startTime + m.duration)[0]`)
	update := chromium.Eval[float64](tab, `Math.max(...performance.getEntriesByName("holdfast-update").map((m) => m.duration))`)
	elements := chromium.Eval[int](tab, `document.querySelectorAll("*").length`)
	t.Logf("shown after %.0f ms, the slowest update took %.0f ms, %d elements", first, update, elements)
	if first > 10_000 || update > 1000 || elements > 6000 {
		t.Errorf("shown after %.0f ms, an update took %.0f ms, %d elements", first, update, elements)
	}
}

// What happens is shown and announced. A daemon that is upgraded is said to be, but not for
// ever when it does not return, and the page comes back by itself.
func testLive(t *testing.T, b *chromium.Browser) {
	d := newDirector(t, busyStatus, busyEvents)
	tab := b.Open(t, d.server.URL, chromium.Telephone)
	tab.Await(drawn + ` && document.getElementById("verdict-title").innerText === "All is well" && document.getElementById("live-text").innerText === "Live"`)
	// What was before a virtual router was started is not known, and is no state of it.
	tab.Await(`[...document.querySelectorAll("#timeline .lanes li:last-child rect")].map((r) => r.getAttribute("class")).join() === "unknown,backup"`)

	d.become(failingStatus)
	d.journal.Append(event.Event{At: time.Now(), Kind: event.KindInstance, Subject: "inside", From: event.Master, To: event.Fault, Reason: "eth1 has no carrier"})
	tab.Await(`document.getElementById("verdict-title").innerText === "5 problems" && document.title.startsWith("(5)")`)
	tab.Await(`document.getElementById("announce").innerText.includes("inside is FAULT") || document.getElementById("announce").innerText.includes("problems")`)
	tab.Await(`document.querySelector("#events-grid tbody tr").innerText.includes("eth1 has no carrier")`)

	d.page.Close(true)
	tab.Await(`document.getElementById("live-text").innerText === "holdfast is being upgraded" && document.getElementById("verdict-title").innerText.startsWith("lvs1 has not answered since")`)
	tab.Await(`document.getElementById("live-text").innerText === "No connection, trying again"`)
	d.become(func(n uint64) *status.Status {
		s := busyStatus(n)
		s.Software, s.Started = "1.3.0", time.Now().Truncate(time.Hour)
		return s
	})
	d.page.Open(nil)
	tab.Await(`document.getElementById("live-text").innerText.includes("lvs1 was upgraded from 1.2.3 to 1.3.0") && document.getElementById("verdict-title").innerText === "All is well"`)
	for _, said := range tab.Console() {
		if !strings.Contains(said, "503") { // the answer of a page that is closed
			t.Errorf("the console says %q", said)
		}
	}
}

// A rewriter serves a stream as a daemon with another page would.
type rewriter struct {
	http.ResponseWriter
	old, new string
}

func (w rewriter) Write(b []byte) (int, error) {
	_, err := w.ResponseWriter.Write([]byte(strings.ReplaceAll(string(b), w.old, w.new)))
	return len(b), err
}

func (w rewriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// When another binary has another page, the page loads that once, and still says that
// the daemon was upgraded.
func testNewPage(t *testing.T, b *chromium.Browser) {
	var version, loads atomic.Int32
	d := newDirector(t, func(n uint64) *status.Status {
		s := busyStatus(n)
		s.Software = fmt.Sprintf("1.%d", version.Load())
		s.PID = int(version.Load())
		return s
	}, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		if r.URL.Path == "/" {
			loads.Add(1)
		}
		d.page.ServeHTTP(rewriter{w, `"page":"`, fmt.Sprintf(`"page":"%d`, version.Load())}, r)
	}))
	defer server.Close()
	defer d.page.Close(false)
	tab := b.Open(t, server.URL, chromium.Desktop)
	tab.Await(drawn)
	d.page.Close(true)
	version.Add(1)
	d.page.Open(nil)
	tab.Await(`document.readyState === "complete" && document.getElementById("live-text").innerText.includes("upgraded from 1.0 to 1.1") && document.getElementById("verdict-title").innerText === "All is well"`)
	if n := loads.Load(); n != 2 {
		t.Errorf("the page was loaded %d times", n)
	}
}

// The choice of colours outlives the page, and the picture of the system is followed
// without one.
func testTheme(t *testing.T, b *chromium.Browser) {
	d := newDirector(t, always(emptyStatus), nil)
	tab := b.Open(t, d.server.URL, chromium.Desktop)
	tab.Await(drawn)
	ground := func() string { return chromium.Eval[string](tab, "getComputedStyle(document.body).backgroundColor") }
	light := ground()
	tab.Look(chromium.Desktop.InDark())
	dark := ground()
	if dark == light {
		t.Fatalf("light and dark have the same ground %s", dark)
	}
	chromium.Eval[bool](tab, `document.getElementById("theme").click(), true`)
	if got := ground(); got != light {
		t.Errorf("after the choice of light the ground is %s", got)
	}
	tab.Reload()
	tab.Await(drawn)
	if got := ground(); got != light {
		t.Errorf("after a reload the ground is %s", got)
	}
}
