package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Agent asks an agent on the server by the protocol of HAProxy's agent-check: the
// agent sends one line of words and closes the connection. "up", "down", "failed",
// "stopped" and "fail" say how the server is; "75%" is its weight; "drain" takes the
// weight away and "maint" the server, until "ready". Text behind # explains it.
type Agent struct {
	Send string // what to send first; "": nothing
	// Optional makes an agent that cannot be asked say nothing, as with HAProxy.
	// Otherwise the server is then not well.
	Optional bool
}

// Kind returns "agent".
func (Agent) Kind() string { return "agent" }

// Needs returns NeedsPort.
func (Agent) Needs() Needs { return NeedsPort }

// Validate returns nil.
func (Agent) Validate() FieldErrors { return nil }

func (s Agent) prober(_ *Tools, to Target) Prober {
	return &agentProber{dialer: newDialer(to, unix.SOCK_STREAM, resetAtClose), Agent: s, percent: -1}
}

// maxAgentLine bounds what is read of an answer.
const maxAgentLine = 1024

type agentProber struct {
	dialer
	Agent

	// What counts until the agent says otherwise.
	percent int    // of the configured weight; -1: never said
	admin   string // "drain", "maint" or "ready"; "": never said
	down    error  // nil: up

	warning string
}

// Probe implements Prober.
func (p *agentProber) Probe(ctx context.Context) error {
	_, err := p.ProbeWeight(ctx)
	return err
}

// ProbeWeight implements Weigher.
func (p *agentProber) ProbeWeight(ctx context.Context) (*Weight, error) {
	line, err := p.ask(ctx)
	if err == nil {
		err = p.heed(line)
	}
	if err != nil {
		if p.Optional {
			err = Inconclusive(err)
		}
		return nil, err
	}
	switch {
	case p.admin == "maint":
		return nil, errors.New("the agent says maint")
	case p.down != nil:
		return nil, p.down
	case p.admin == "drain":
		return &Weight{Mode: Absolute, N: 0}, nil
	case p.percent >= 0:
		return &Weight{Mode: Percent, N: p.percent}, nil
	case p.admin == "ready": // it may have drained before
		return &Weight{Mode: Percent, N: 100}, nil
	}
	return nil, nil
}

// Warning implements Warner.
func (p *agentProber) Warning() string { return p.warning }

// ask returns the line that the agent sends.
func (p *agentProber) ask(ctx context.Context) (string, error) {
	conn, err := p.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, p.Send); err != nil {
		return "", p.failed("request", err)
	}
	var all []byte
	buf := make([]byte, maxAgentLine)
	for len(all) < maxAgentLine {
		n, err := conn.Read(buf[:maxAgentLine-len(all)])
		all = append(all, buf[:n]...)
		if i := strings.IndexAny(string(all), "\r\n"); i >= 0 {
			return string(all[:i]), nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) && len(all) > 0 {
			break
		}
		if err != nil {
			return "", p.failed("answer", err)
		}
	}
	switch len(all) {
	case 0:
		return "", p.failed("answer", io.EOF)
	case maxAgentLine:
		return "", fmt.Errorf("answer: %s has no end of line", excerpt(all))
	}
	return string(all), nil
}

// heed takes over what a line says. It changes nothing if the line says nothing.
func (p *agentProber) heed(line string) error {
	text, why, _ := strings.Cut(line, "#")
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
	known, ignored := 0, []string(nil)
	for _, word := range words {
		word = strings.ToLower(word)
		understood := p.word(word, plainLine(why))
		if understood || strings.HasPrefix(word, "maxconn:") {
			known++
		}
		if !understood {
			ignored = append(ignored, word)
		}
	}
	if known == 0 {
		return fmt.Errorf("answer: %s is not what an agent says", excerpt([]byte(line)))
	}
	p.warning = ""
	if len(ignored) > 0 {
		p.warning = "holdfast ignores what the agent says of " + plainLine(strings.Join(ignored, ", "))
	}
	return nil
}

// word takes over one word, and reports whether it knows it.
func (p *agentProber) word(word, why string) bool {
	switch word {
	case "up":
		p.down = nil
	case "down", "fail", "failed", "stopped":
		p.down = errors.New("the agent says " + word)
		if why != "" {
			p.down = errors.New("the agent says " + word + ": " + why)
		}
	case "drain", "maint", "ready":
		p.admin = word
	default:
		number, ok := strings.CutSuffix(word, "%")
		percent, err := strconv.Atoi(number)
		if !ok || err != nil || percent < 0 {
			return false
		}
		p.percent = percent
	}
	return true
}
