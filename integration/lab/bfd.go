package lab

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// A BFDSession is the configuration of a session on a peer of holdfast.
type BFDSession struct {
	Neighbour  string
	Source     string
	Interface  string // "": none is said
	Multihop   bool
	Interval   time.Duration
	Multiplier int
	Lines      []string // further ones, in the peer's own language
}

// An FRRBFD is FRR's bfdd on a host.
type FRRBFD struct {
	*Process
	frr *frr
}

// FRRBFD runs sessions with FRR's bfdd.
func (h *Host) FRRBFD(sessions ...BFDSession) *FRRBFD {
	h.lab.t.Helper()
	var config strings.Builder
	config.WriteString("debug bfd network\ndebug bfd peer\nbfd\n")
	for _, s := range sessions {
		fmt.Fprintf(&config, " peer %s", s.Neighbour)
		if s.Multihop {
			config.WriteString(" multihop")
		}
		if s.Source != "" {
			config.WriteString(" local-address " + s.Source)
		}
		if s.Interface != "" {
			config.WriteString(" interface " + s.Interface)
		}
		fmt.Fprintf(&config, "\n  detect-multiplier %d\n  receive-interval %d\n  transmit-interval %d\n",
			s.Multiplier, s.Interval.Milliseconds(), s.Interval.Milliseconds())
		for _, line := range s.Lines {
			config.WriteString("  " + line + "\n")
		}
		config.WriteString(" !\n")
	}
	config.WriteString("!\n")
	f := h.frr()
	return &FRRBFD{f.start("bfdd", config.String(), "--bfdctl", filepath.Join(f.dir, "bfdd.sock")), f}
}

// A BFDPeer is what bfdd says of a session.
type BFDPeer struct {
	Peer             string `json:"peer"`
	ID               uint32 `json:"id"`        // its discriminator
	RemoteID         uint32 `json:"remote-id"` // ours
	Status           string `json:"status"`    // up, down, init or shutdown
	Diagnostic       string `json:"diagnostic"`
	RemoteDiagnostic string `json:"remote-diagnostic"`
	RemoteTransmit   int    `json:"remote-transmit-interval"` // ms
	RemoteReceive    int    `json:"remote-receive-interval"`
	Downs            int    `json:"session-down"` // how often it went down
}

// Peers asks bfdd for its sessions, by neighbour.
func (f *FRRBFD) Peers() (map[string]BFDPeer, error) {
	peers := map[string]BFDPeer{}
	for _, command := range []string{"show bfd peers json", "show bfd peers counters json"} {
		said, err := f.frr.ask("bfdd", command)
		if err != nil {
			return nil, err
		}
		var list []json.RawMessage
		if err := json.Unmarshal(said, &list); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", command, err, said)
		}
		for _, raw := range list {
			var key BFDPeer
			if err := json.Unmarshal(raw, &key); err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", command, err, raw)
			}
			p := peers[key.Peer]
			if err := json.Unmarshal(raw, &p); err != nil { // adds what this command tells
				return nil, fmt.Errorf("%s: %w\n%s", command, err, raw)
			}
			peers[key.Peer] = p
		}
	}
	return peers, nil
}

// Await waits until bfdd says of the session with each neighbour what is wanted.
func (f *FRRBFD) Await(t T, what string, ok func(BFDPeer) bool, neighbours ...string) {
	t.Helper()
	Wait(t, 20*time.Second, "bfdd: "+what, func() (string, bool) {
		peers, err := f.Peers()
		if err != nil {
			return err.Error(), false
		}
		for _, n := range neighbours {
			if p, there := peers[n]; !there || !ok(p) {
				return fmt.Sprintf("%s: %+v", n, p), false
			}
		}
		return "", true
	})
}
