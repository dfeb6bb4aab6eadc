package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// ListenTCP listens on a port. With a device it accepts connections from that
// interface only (SO_BINDTODEVICE in socket(7)).
func ListenTCP(address netip.AddrPort, device string) (net.Listener, error) {
	network := "tcp6"
	switch a := address.Addr(); {
	case a.Is4():
		network = "tcp4" // "tcp" would make 0.0.0.0 the addresses of both families
	case a.IsUnspecified():
		network = "tcp"
	case a.IsLinkLocalUnicast():
		address = netip.AddrPortFrom(a.WithZone(device), address.Port())
	}
	var c net.ListenConfig
	if device != "" {
		c.Control = func(_, _ string, raw syscall.RawConn) error {
			var err error
			bind := func(fd uintptr) { err = unix.BindToDevice(int(fd), device) }
			if e := raw.Control(bind); e != nil {
				return e
			}
			if err != nil {
				return fmt.Errorf("device %s: %w", device, err)
			}
			return nil
		}
	}
	return c.Listen(context.Background(), network, address.String())
}

// CertificateWriter is Door.Writer for clients that prove who they are by a certificate
// of the CA that the listener trusts.
func CertificateWriter(r *http.Request) (string, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", errors.New("changes over TCP need a client certificate (client_ca of [listen.tls])")
	}
	return fmt.Sprintf("certificate %q", r.TLS.VerifiedChains[0][0].Subject.String()), nil
}
