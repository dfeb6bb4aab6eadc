package ipvs_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// serveDatagrams answers every datagram with the host's name.
func serveDatagrams(t *testing.T, h *lab.Host, address string) {
	t.Helper()
	var conn net.PacketConn
	err := h.Do(func() (err error) {
		conn, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp", address)
		return err
	})
	if err != nil {
		t.Fatalf("host %s: %v", h.Name, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 64)
		for {
			_, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(h.Name), from)
		}
	}()
}

// A flow are datagrams from one port.
type flow struct{ net.Conn }

func newFlow(t *testing.T, h *lab.Host, address string) flow {
	t.Helper()
	var conn net.Conn
	err := h.Do(func() (err error) {
		conn, err = new(net.Dialer).Dial("udp", address)
		return err
	})
	if err != nil {
		t.Fatalf("host %s: %v", h.Name, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return flow{conn}
}

// ask sends one datagram and returns who answered it; "": nobody.
func (f flow) ask() string {
	buffer := make([]byte, 64)
	_ = f.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := f.Write([]byte("who")); err != nil {
		return ""
	}
	n, err := f.Read(buffer)
	if err != nil {
		return ""
	}
	return string(buffer[:n])
}

// A UDP flow of one port goes to another server within one packet when its server is
// removed: a plain one, one of a persistent client, and one of single packets.
func TestUDPFlowMoves(t *testing.T) {
	p := lab.NewPair(t, 1)
	direct(p)
	kinds := []struct {
		name, options string
		port          int
	}{
		{"plain", "", 5001},
		{"persistent", "persistence = \"5m\"\n", 5002},
		{"one-packet", "one_packet = true\n", 5003},
	}
	webs := map[string]*lab.Web{}
	more := ""
	for _, k := range kinds {
		more += service(k.name, fmt.Sprintf("%s:%d", lab.VIP, k.port), "protocol = \"udp\"\nforward = \"dr\"\n"+k.options+check+"port = 80\n",
			fmt.Sprintf("192.168.0.11:%d", k.port), fmt.Sprintf("192.168.0.12:%d", k.port))
	}
	for _, h := range p.Realservers {
		realserver(t, h)
		webs[h.Name] = h.ServeHTTP(":80")
		for _, k := range kinds {
			serveDatagrams(t, h, fmt.Sprintf("%s:%d", lab.VIP, k.port))
		}
	}
	start(t, p, more)
	addresses := map[string]string{"rs1": "192.168.0.11", "rs2": "192.168.0.12"}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			both := []string{fmt.Sprintf("-r 192.168.0.11:%d", k.port), fmt.Sprintf("-r 192.168.0.12:%d", k.port)}
			awaitTable(t, p.Directors[0], both...)
			f := newFlow(t, p.Router, fmt.Sprintf("%s:%d", lab.VIP, k.port))
			server := ""
			lab.Wait(t, 20*time.Second, "an answer", func() (string, bool) { server = f.ask(); return server, server != "" })
			webs[server].SetStatus(503)
			awaitTable(t, p.Directors[0], fmt.Sprintf("!-r %s:%d", addresses[server], k.port))
			lost, by := 0, ""
			for by = f.ask(); by == "" && lost < 20; by = f.ask() {
				lost++
			}
			if lost > 1 || by == server || by == "" {
				t.Errorf("%d packets of the flow were lost after %s was removed; then %q answered", lost, server, by)
			}
			webs[server].SetStatus(200)
			awaitTable(t, p.Directors[0], both...)
			t.Logf("%d packets lost", lost)
		})
	}
}
