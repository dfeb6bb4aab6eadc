package port

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// An OpenSocket describes a socket of a Port to the program that is executed
// next in this process. The kernel keeps the socket's queue and memberships.
type OpenSocket struct {
	FD     int
	Name   string // of the interface
	Index  int    // of the interface
	Use    string // txUse, or a value of routedUses or rxUses
	Groups []netip.Addr
}

// The values of OpenSocket.Use. Programs of two versions exchange them.
var (
	txUse      = "speak"
	routedUses = [...]string{"routed4", "routed6"}                       // by family
	rxUses     = [...]string{rx4: "hear4", rx6: "hear6", rxAH: "hearAH"} // by kind
)

// HandOn makes the sockets survive an exec, and describes them for [Inherit].
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

// Keep undoes HandOn after an exec that failed.
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

// sockets lists the sockets in the order that Inherit needs: those that send
// come first.
func (p *Port) sockets() []OpenSocket {
	var list []OpenSocket
	for index, s := range p.tx {
		list = append(list, OpenSocket{FD: s.fd, Name: s.name, Index: index, Use: txUse})
		for i, r := range s.routed {
			if r != nil {
				list = append(list, OpenSocket{FD: r.fd, Name: s.name, Index: index, Use: routedUses[i]})
			}
		}
	}
	for _, s := range p.rx {
		list = append(list, OpenSocket{FD: s.fd, Name: p.tx[s.index].name, Index: s.index, Use: rxUses[s.kind], Groups: s.groups})
	}
	return list
}

// Inherit returns a Port with the sockets that another program handed on in
// this process. When it returns, each socket belongs to the Port or is closed.
func Inherit(sockets []OpenSocket) (*Port, error) {
	p, err := New()
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
	l, tx := Listen{Name: s.Name, Index: s.Index}, p.tx[s.Index]
	routed, kind := slices.Index(routedUses[:], s.Use), slices.Index(rxUses[:], s.Use)
	switch {
	case s.Use == txUse:
		p.addTx(newTx(s.FD, l))
	case tx == nil:
		return errors.New("no socket that sends there was handed on before it")
	case routed >= 0:
		tx.routed[routed] = newRouted(s.FD, l)
	case kind >= 0:
		if err := p.watch(s.FD); err != nil {
			return err
		}
		p.rx[int32(s.FD)] = &rxSocket{fd: s.FD, index: s.Index, kind: rxKind(kind), groups: s.Groups}
	default:
		return fmt.Errorf("its use %q is unknown", s.Use)
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
