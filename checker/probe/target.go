package probe

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Target is the server that a check asks, and the way to it.
type Target struct {
	Address netip.AddrPort // the port is 0 if the kind uses none
	Dial    Dial
	// Timeout is how long one attempt may take, for the words of a reason. The
	// context of Probe ends the attempt.
	Timeout  time.Duration
	Interval time.Duration // between two attempts
}

// ByName reports whether a check asks for its server by name, so that it needs no
// address.
func ByName(s Settings) bool {
	e, ok := s.(External)
	return ok && e.Style == StyleMon && e.Host != HostAddress
}

// Validate returns every fault of the target of a check that needs so much of
// it.
func (t *Target) Validate(needs Needs) FieldErrors {
	var errs FieldErrors
	switch {
	case needs < NeedsAddress:
		return nil
	case needs < NeedsPort && !t.Address.Addr().IsValid():
		errs.Addf("address", "must be an address, not %v", t.Address.Addr())
	case needs == NeedsPort && (!t.Address.IsValid() || t.Address.Port() == 0):
		errs.Addf("address", "must be an address and a port, not %v", t.Address)
	}
	if t.Timeout < time.Millisecond {
		errs.Addf("timeout", "must be at least 1ms, not %v", t.Timeout)
	}
	if s := t.Dial.Source; s.IsValid() && s.Is4() != t.Address.Addr().Unmap().Is4() {
		errs.Addf("source", "%v is not of the family of %v", s, t.Address.Addr())
	}
	// IFNAMSIZ (linux/if.h) is 16, the closing zero included.
	if d := t.Dial.Device; len(d) > 15 || strings.ContainsAny(d, "/ \x00") {
		errs.Addf("device", "%q is not the name of an interface", d)
	}
	return errs
}

// Dial says where the packets of a check come from and which way they take.
// With the zero value the kernel decides both.
type Dial struct {
	Source netip.Addr // local address, of the family of Target.Address
	Toward netip.Addr // if valid: the source is the one that packets to this address would have
	Device string     // SO_BINDTODEVICE: an interface or a VRF device
	Mark   uint32     // SO_MARK, for routing rules and IPVS services by mark; 0 is none
}

// A socketOption sets an option of a socket before it connects.
type socketOption func(fd int) error

// options returns what sets up a socket for d.
func (d *Dial) options() []socketOption {
	var all []socketOption
	if device := d.Device; device != "" {
		all = append(all, func(fd int) error {
			return os.NewSyscallError("bind to device "+device, unix.BindToDevice(fd, device))
		})
	}
	if mark := int(d.Mark); mark != 0 {
		all = append(all, func(fd int) error {
			return os.NewSyscallError(fmt.Sprintf("set mark %d", mark),
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark))
		})
	}
	return all
}
