package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Probe sends echo requests to an address at a steady rate and records the
// answers. It measures loss, not its own delays: a probe that was sent late because
// our thread did not run is no outage.
type Probe struct {
	host     *Host
	interval time.Duration
	socket   int
	echo     echo
	stop     chan struct{}
	drained  chan struct{}
	sender   sync.WaitGroup
	receiver sync.WaitGroup

	mu       sync.Mutex
	sent     []time.Time
	answered map[int]time.Time
	fault    error
	last     atomic.Int64 // nanoseconds since the epoch of the last answer
}

// An Outage is a run of probes that nobody answered.
type Outage struct {
	From time.Time // the last answered probe before was sent
	To   time.Time // the first answered probe after was sent
	Lost int
}

// Duration is the time without service: from the last probe that was answered
// to the first that was answered again.
func (o Outage) Duration() time.Duration { return o.To.Sub(o.From) }

// A Tally is the account of a probe.
type Tally struct {
	Sent, Lost int
	Outages    []Outage
	// LongestGap is the longest time between two answers; it has the noise of
	// our own threads in it.
	LongestGap time.Duration
	// LatestSend is the longest time between two probes: the probe's own noise.
	LatestSend time.Duration
}

// Worst is the longest outage; zero without loss.
func (t Tally) Worst() Outage {
	var worst Outage
	for _, o := range t.Outages {
		if o.Duration() > worst.Duration() {
			worst = o
		}
	}
	return worst
}

func (t Tally) String() string {
	return fmt.Sprintf("%d of %d lost, %d outages, the longest %v (longest gap between answers %v, own noise %v)", t.Lost, t.Sent,
		len(t.Outages), t.Worst().Duration().Round(100*time.Microsecond), t.LongestGap.Round(100*time.Microsecond),
		t.LatestSend.Round(100*time.Microsecond))
}

// An echo is the way to ask and to recognise the answer.
type echo struct {
	to           unix.Sockaddr
	family, kind int
	request      byte
	reply        byte
	header       int // bytes of IP before the answer
	identity     uint16
}

var identities atomic.Uint32

// Probe begins to ask an address; a link-local one is written with the device,
// as in fe80::1%eth0. End it with Stop.
func (h *Host) Probe(address string, interval time.Duration) *Probe {
	h.lab.t.Helper()
	return h.ProbeFrom("", address, interval)
}

// ProbeFrom is Probe from one of the host's IPv4 addresses; "" leaves it to the
// kernel.
func (h *Host) ProbeFrom(source, address string, interval time.Duration) *Probe {
	h.lab.t.Helper()
	to := netip.MustParseAddr(address)
	zone := 0
	if to.Zone() != "" {
		link, err := h.link.LinkByName(to.Zone())
		if err != nil {
			h.lab.t.Fatalf("host %s: probe %s: %v", h.Name, address, err)
		}
		zone = link.Attrs().Index
	}
	p := &Probe{
		host: h, interval: interval, echo: echoTo(to, uint32(zone)), answered: map[int]time.Time{},
		stop: make(chan struct{}), drained: make(chan struct{}),
	}
	err := h.Do(func() (err error) {
		if p.socket, err = p.echo.open(); err != nil || source == "" {
			return err
		}
		return unix.Bind(p.socket, &unix.SockaddrInet4{Addr: netip.MustParseAddr(source).As4()})
	})
	if err != nil {
		h.lab.t.Fatalf("host %s: probe %s: %v", h.Name, address, err)
	}
	p.sender.Go(p.send)
	p.receiver.Go(p.receive)
	h.lab.t.Cleanup(func() { p.Stop() })
	return p
}

func echoTo(to netip.Addr, zone uint32) echo {
	identity := uint16(identities.Add(1))
	if to.Is4() {
		return echo{
			to: &unix.SockaddrInet4{Addr: to.As4()}, family: unix.AF_INET, kind: unix.IPPROTO_ICMP,
			request: 8, reply: 0, header: 20, identity: identity,
		}
	}
	return echo{
		to: &unix.SockaddrInet6{Addr: to.As16(), ZoneId: zone}, family: unix.AF_INET6, kind: unix.IPPROTO_ICMPV6,
		request: 128, reply: 129, identity: identity,
	}
}

func (e echo) open() (int, error) {
	socket, err := unix.Socket(e.family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, e.kind)
	if err != nil {
		return 0, fmt.Errorf("open a raw socket: %w", err)
	}
	timeout := unix.NsecToTimeval(int64(10 * time.Millisecond))
	for _, err := range []error{
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
		unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
	} {
		if err != nil {
			_ = unix.Close(socket)
			return 0, fmt.Errorf("prepare a raw socket: %w", err)
		}
	}
	return socket, nil
}

// packet is a request; its number is in the payload, since the sequence field
// is too short for a long run.
func (e echo) packet(number int) []byte {
	b := []byte{e.request, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(b[4:], e.identity)
	binary.BigEndian.PutUint16(b[6:], uint16(number))
	b = binary.BigEndian.AppendUint32(b, uint32(number))
	if e.family == unix.AF_INET { // the kernel fills in ICMPv6's
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

func (e echo) number(packet []byte) (int, bool) {
	if len(packet) < e.header+12 {
		return 0, false
	}
	body := packet[e.header:]
	if body[0] != e.reply || binary.BigEndian.Uint16(body[4:]) != e.identity {
		return 0, false
	}
	return int(binary.BigEndian.Uint32(body[8:])), true
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum)
}

// send keeps to a timetable; probes that it is too late for are left out, not
// sent in a burst, for a burst would measure the queue.
func (p *Probe) send() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for next := time.Now(); ; {
		select {
		case <-p.stop:
			return
		default:
		}
		pause := unix.NsecToTimespec(max(0, time.Until(next).Nanoseconds()))
		_ = unix.Nanosleep(&pause, nil)
		p.mu.Lock()
		number := len(p.sent)
		p.sent = append(p.sent, time.Now())
		p.mu.Unlock()
		// Without a route or carrier sending fails: a lost probe like any other.
		_ = unix.Sendto(p.socket, p.echo.packet(number), 0, p.echo.to)
		next = next.Add(p.interval)
		if late := time.Since(next); late > p.interval {
			next = time.Now()
		}
	}
}

func (p *Probe) receive() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	buffer := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(p.socket, buffer, 0)
		select {
		case <-p.drained:
			return
		default:
		}
		switch {
		case err == unix.EAGAIN, err == unix.EINTR:
			continue
		case err != nil:
			p.mu.Lock()
			p.fault = fmt.Errorf("receive: %w", err)
			p.mu.Unlock()
			return
		}
		number, ok := p.echo.number(buffer[:n])
		if !ok {
			continue
		}
		now := time.Now()
		p.mu.Lock()
		if _, twice := p.answered[number]; !twice {
			p.answered[number] = now
		}
		p.mu.Unlock()
		p.last.Store(now.UnixNano())
	}
}

// LastAnswer is when the last answer came; the zero time if none has.
func (p *Probe) LastAnswer() time.Time {
	if ns := p.last.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// AwaitAnswers waits until n further probes have been answered.
func (p *Probe) AwaitAnswers(t T, limit time.Duration, n int) {
	t.Helper()
	count := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.answered)
	}
	goal := count() + n
	Wait(t, limit, "answers to a probe", func() (string, bool) {
		got := count()
		return fmt.Sprintf("%d answers missing", goal-got), got >= goal
	})
}

// AwaitSilence waits until nothing has answered for a while.
func (p *Probe) AwaitSilence(t T, limit, quiet time.Duration) {
	t.Helper()
	Wait(t, limit, "silence", func() (string, bool) {
		since := time.Since(p.LastAnswer())
		return fmt.Sprintf("the last answer was %v ago", since), since >= quiet
	})
}

// Stop ends the probe, waits a moment for late answers, and returns the
// account. Further calls return the same.
func (p *Probe) Stop() Tally {
	p.mu.Lock()
	select {
	case <-p.stop:
		p.mu.Unlock()
		p.receiver.Wait()
	default:
		close(p.stop)
		p.mu.Unlock()
		p.sender.Wait()
		p.awaitLate(scaled(200 * time.Millisecond))
		close(p.drained)
		p.receiver.Wait()
		_ = unix.Close(p.socket)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil {
		p.host.lab.t.Errorf("probe from %s: %v", p.host.Name, p.fault)
	}
	return account(p.sent, p.answered)
}

// awaitLate returns when the last probe sent is answered or the time is up.
func (p *Probe) awaitLate(limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		p.mu.Lock()
		_, complete := p.answered[len(p.sent)-1]
		p.mu.Unlock()
		if complete {
			return
		}
	}
}

// account finds the outages. Lost probes at either end, with no answered probe
// beyond them, bound an outage that was not seen whole: it is counted as far
// as it was seen.
func account(sent []time.Time, answered map[int]time.Time) Tally {
	tally := Tally{Sent: len(sent)}
	arrivals := make([]time.Time, 0, len(answered))
	for _, at := range answered {
		arrivals = append(arrivals, at)
	}
	slices.SortFunc(arrivals, time.Time.Compare)
	tally.LongestGap = longestStep(arrivals)
	tally.LatestSend = longestStep(sent)
	for i := 0; i < len(sent); i++ {
		if _, ok := answered[i]; ok {
			continue
		}
		first := i
		for i+1 < len(sent) {
			if _, ok := answered[i+1]; ok {
				break
			}
			i++
		}
		outage := Outage{From: sent[max(0, first-1)], To: sent[min(len(sent)-1, i+1)], Lost: i - first + 1}
		tally.Lost += outage.Lost
		tally.Outages = append(tally.Outages, outage)
	}
	return tally
}

func longestStep(times []time.Time) time.Duration {
	var longest time.Duration
	for i := 1; i < len(times); i++ {
		longest = max(longest, times[i].Sub(times[i-1]))
	}
	return longest
}
