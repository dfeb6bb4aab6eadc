package director

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"os"
	"strings"
	"testing"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
)

// aloneListeners returns listeners without a director, and what they say is wrong.
func aloneListeners(t *testing.T) (ls *listeners, problems *[]status.Problem) {
	t.Helper()
	b, _ := alone(t)
	api := control.NewAPI(control.Options{
		Backend: backend{}, Events: event.NewJournal(10, 0), Log: slog.New(slog.DiscardHandler),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
	})
	problems = new([]status.Problem)
	ls = &listeners{base: b, api: api, problems: func(all []status.Problem) { *problems = all }}
	t.Cleanup(api.Close)
	t.Cleanup(ls.close)
	return ls, problems
}

// freePort returns an address of this host on which nobody listens. Other programs that ask for
// any free port get one of 127.0.0.1.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.76.%d.%d:0", os.Getpid()>>8&0xff, os.Getpid()&0xff))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

func listenAt(address netip.AddrPort, serve ...string) conf.Listen {
	return conf.Listen{Address: address, Serve: serve}
}

// get returns the status of an answer, and whether its connection was there before.
func get(t *testing.T, client *http.Client, address netip.AddrPort) (code int, reused bool) {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address.String()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, reused
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, reused
}

// A reload changes a listener at its port at once, and leaves the connections of the
// others alone.
func TestListenersReload(t *testing.T) {
	ls, problems := aloneListeners(t)
	a, b, client := freePort(t), freePort(t), &http.Client{}
	defer client.CloseIdleConnections()
	anew := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // the end of an idle connection may come a moment later
	ls.apply(&conf.Config{Listens: []conf.Listen{listenAt(a, "metrics"), listenAt(b, "metrics")}})
	if code, _ := get(t, client, a); code != 200 {
		t.Errorf("the first: %d", code)
	}
	if code, _ := get(t, anew, b); code != 200 {
		t.Errorf("the second: %d", code)
	}
	ls.apply(&conf.Config{Listens: []conf.Listen{listenAt(b, "api"), listenAt(a, "metrics")}})
	if code, reused := get(t, client, a); code != 200 || !reused {
		t.Errorf("the same listener: %d, same connection %v", code, reused)
	}
	if code, _ := get(t, anew, b); code != 404 {
		t.Errorf("a listener for something else: %d", code)
	}
	ls.apply(&conf.Config{Listens: []conf.Listen{listenAt(a, "metrics")}})
	if code, _ := get(t, anew, b); code != 0 {
		t.Errorf("a removed listener answers %d", code)
	}
	if len(*problems) != 0 {
		t.Errorf("problems %v", *problems)
	}
}

// After the binary was not replaced, the ports are open again.
func TestListenersAfterFailedUpgrade(t *testing.T) {
	ls, _ := aloneListeners(t)
	a, client := freePort(t), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c := &conf.Config{Listens: []conf.Listen{listenAt(a, "metrics")}}
	ls.apply(c)
	ls.suspend()
	if code, _ := get(t, client, a); code != 0 {
		t.Errorf("it answers %d while the binary is replaced", code)
	}
	ls.apply(c)
	if code, _ := get(t, client, a); code != 200 {
		t.Errorf("afterwards it answers %d", code)
	}
}

// A virtual address that another director has is waited for, and nothing is wrong. Any
// other address that is missing is a problem. Both are tried again when they come.
func TestListenersWait(t *testing.T) {
	ls, problems := aloneListeners(t)
	virtual, strange := netip.MustParseAddrPort("198.51.100.1:9650"), netip.MustParseAddrPort("198.51.100.2:9650")
	c := &conf.Config{
		Listens: []conf.Listen{listenAt(virtual, "metrics"), listenAt(strange, "metrics")},
		VRRP:    []conf.Instance{{Prefixes: []conf.Address{{Prefix: netip.MustParsePrefix("198.51.100.1/24")}}}},
	}
	ls.apply(c)
	if len(*problems) != 1 || !strings.Contains((*problems)[0].Text, "198.51.100.2:9650: this host does not have the address") {
		t.Errorf("problems %v", *problems)
	}
	var s status.Status
	ls.report(&s)
	if l := s.Listen[0]; l.Listening || l.Waits == "" || l.Problem != "" {
		t.Errorf("virtual address: %+v", l)
	}
	if ls.retry == nil {
		t.Error("nothing tries again")
	}
	// The address of the second is changed to one of this host, as though it had come.
	came := freePort(t)
	ls.all[1].conf.Address = came
	ls.linkChanged(&netdev.Event{Kind: netdev.AddressChanged, Added: true, Prefix: netip.MustParsePrefix("127.0.0.2/8")})
	if ls.all[1].server != nil {
		t.Error("it was tried again because of another address")
	}
	ls.linkChanged(&netdev.Event{Kind: netdev.AddressChanged, Added: true, Prefix: netip.PrefixFrom(came.Addr(), 8)})
	if ls.all[1].server == nil || len(*problems) != 0 {
		t.Errorf("it does not listen: %v, problems %v", ls.all[1].err, *problems)
	}
}

// Of two programs on one port the second says so.
func TestListenersPortInUse(t *testing.T) {
	ls, problems := aloneListeners(t)
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ls.apply(&conf.Config{Listens: []conf.Listen{listenAt(netip.MustParseAddrPort(l.Addr().String()), "api")}})
	if len(*problems) != 1 || !strings.Contains((*problems)[0].Text, "another program") {
		t.Errorf("problems %v", *problems)
	}
}
