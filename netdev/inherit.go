package netdev

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// An OpenSocket is a socket of a Port, as the program needs to know it that is run
// in this process next. Its queue and its memberships are the kernel's.
type OpenSocket struct {
	FD     int
	Name   string // the interface's, as its Index
	Index  int
	Use    string
	Groups []netip.Addr
}

// The uses of sockets.
var (
	mouthUse = "speak"
	wayUses  = [...]string{"routed4", "routed6"}                          // by family
	earUses  = [...]string{ear4: "hear4", ear6: "hear6", earAH: "hearAH"} // by kind
)

// HandOn makes the sockets outlive an exec, and names them for [InheritPort].
func (p *Port) HandOn() ([]OpenSocket, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.sockets()
	for _, s := range list {
		if err := closeOnExec(s.FD, false); err != nil {
			return nil, errors.Join(fmt.Errorf("hand on a socket on %s: %w", s.Name, err), p.keep())
		}
	}
	return list, nil
}

// Keep takes HandOn back, after an exec that failed.
func (p *Port) Keep() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keep()
}

func (p *Port) keep() error {
	var errs []error
	for _, s := range p.sockets() {
		errs = append(errs, closeOnExec(s.FD, true))
	}
	return errors.Join(errs...)
}

// sockets lists those that speak first, as InheritPort wants them.
func (p *Port) sockets() []OpenSocket {
	var list []OpenSocket
	for index, m := range p.mouths {
		list = append(list, OpenSocket{FD: m.fd, Name: m.name, Index: index, Use: mouthUse})
		for i, r := range m.routed {
			if r != nil {
				list = append(list, OpenSocket{FD: r.fd, Name: m.name, Index: index, Use: wayUses[i]})
			}
		}
	}
	for _, e := range p.ears {
		list = append(list, OpenSocket{FD: e.fd, Name: p.mouths[e.index].name, Index: e.index, Use: earUses[e.kind], Groups: e.groups})
	}
	return list
}

// InheritPort returns the Port whose sockets another program handed on in this
// process. All of them are the Port's, or closed, when it returns.
func InheritPort(sockets []OpenSocket) (*Port, error) {
	p, err := NewPort()
	for i := range sockets {
		s := &sockets[i]
		if err == nil {
			err = p.inherit(s)
		}
		if err != nil {
			err = fmt.Errorf("inherit a socket on %s: %w", s.Name, err)
			for _, rest := range sockets[i:] {
				unix.Close(rest.FD)
			}
			break
		}
	}
	if err != nil && p != nil {
		p.Shutdown()
	}
	return p, err
}

func (p *Port) inherit(s *OpenSocket) error {
	if err := closeOnExec(s.FD, true); err != nil {
		return err
	}
	l, m := Listen{Name: s.Name, Index: s.Index}, p.mouths[s.Index]
	way, kind := slices.Index(wayUses[:], s.Use), slices.Index(earUses[:], s.Use)
	switch {
	case s.Use == mouthUse:
		p.addMouth(newMouth(s.FD, l))
	case m == nil:
		return errors.New("nothing speaks there")
	case way >= 0:
		m.routed[way] = newRouted(s.FD, l)
	case kind >= 0:
		if err := p.watch(s.FD); err != nil {
			return err
		}
		p.ears[int32(s.FD)] = &ear{fd: s.FD, index: s.Index, kind: earKind(kind), groups: s.Groups}
	default:
		return fmt.Errorf("it is of no use that is known (%s)", s.Use)
	}
	return nil
}

func closeOnExec(fd int, on bool) error {
	flags := 0
	if on {
		flags = unix.FD_CLOEXEC
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	return err
}
