package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Repeat sends a frame out of the wire's device at a steady rate until the
// returned function is called, or the test ends.
func (w *Wire) Repeat(frame []byte, interval time.Duration) (stop func()) {
	w.Host.lab.t.Helper()
	socket := w.sender()
	done := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		defer unix.Close(socket)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			_, _ = unix.Write(socket, frame) // a cut wire takes nothing
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(done)
		sender.Wait()
	})
	w.Host.lab.t.Cleanup(stop)
	return stop
}

// Flood sends n frames out of the wire's device as fast as it takes them. frame
// returns each by its number; it may return the same slice again.
func (w *Wire) Flood(n int, frame func(i int) []byte) {
	w.Host.lab.t.Helper()
	socket := w.sender()
	defer unix.Close(socket)
	for i := range n {
		for {
			_, err := unix.Write(socket, frame(i))
			if err == nil {
				break
			}
			if !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
				w.Host.lab.t.Fatalf("send from %s of %s: %v", w.Device, w.Host.Name, err)
			}
		}
	}
}

// sender opens a socket that sends frames out of the wire's device.
func (w *Wire) sender() (socket int) {
	w.Host.lab.t.Helper()
	err := w.Host.Do(func() error {
		device, err := w.Host.link.LinkByName(w.Device)
		if err != nil {
			return err
		}
		socket, err = openSender(device.Attrs().Index)
		return err
	})
	if err != nil {
		w.Host.lab.t.Fatalf("send from %s of %s: %v", w.Device, w.Host.Name, err)
	}
	return socket
}

func openSender(index int) (int, error) {
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open a packet socket: %w", err)
	}
	if err := unix.Bind(socket, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
		_ = unix.Close(socket)
		return 0, fmt.Errorf("bind a packet socket: %w", err)
	}
	return socket, nil
}

// ARPRequest is the frame by which the wire's host asks everybody who has the
// IPv4 address target.
func (w *Wire) ARPRequest(from, target string) []byte {
	sender, wanted := netip.MustParseAddr(from).As4(), netip.MustParseAddr(target).As4()
	b := ethernet(MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, w.MAC, etherARP)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1) // Ethernet, IPv4, a request
	b = append(append(b, w.MAC[:]...), sender[:]...)
	return append(append(b, make([]byte, 6)...), wanted[:]...)
}

// VRRPv3 is the frame of an advert for IPv4 that the wire's host sends from
// its own MAC address, as a router without virtual MAC does.
func (w *Wire) VRRPv3(from string, vrid, priority byte, interval time.Duration, address string) []byte {
	source, group := netip.MustParseAddr(from).As4(), [4]byte{224, 0, 0, 18}
	listed := netip.MustParseAddr(address).As4()

	advert := []byte{3<<4 | 1, vrid, priority, 1}
	advert = binary.BigEndian.AppendUint16(advert, uint16(interval/(10*time.Millisecond)))
	advert = append(append(advert, 0, 0), listed[:]...)
	pseudo := append(append([]byte{}, source[:]...), group[:]...)
	pseudo = append(pseudo, 0, ipVRRP, 0, byte(len(advert)))
	binary.BigEndian.PutUint16(advert[6:], checksum(append(pseudo, advert...)))

	header := []byte{0x45, 0, 0, byte(20 + len(advert)), 0, 0, 0, 0, 255, ipVRRP, 0, 0}
	header = append(append(header, source[:]...), group[:]...)
	binary.BigEndian.PutUint16(header[10:], checksum(header))

	b := ethernet(MAC{0x01, 0, 0x5e, 0, 0, 18}, w.MAC, etherIPv4)
	return append(append(b, header...), advert...)
}

func ethernet(to, from MAC, protocol uint16) []byte {
	b := append(append([]byte{}, to[:]...), from[:]...)
	return binary.BigEndian.AppendUint16(b, protocol)
}

// NeighbourSolicitation is the frame by which the wire's host asks who has the
// IPv6 address target (RFC 4861 section 4.3).
func (w *Wire) NeighbourSolicitation(from, target string) []byte {
	source, wanted := netip.MustParseAddr(from).As16(), netip.MustParseAddr(target).As16()
	group := [16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: wanted[13], 14: wanted[14], 15: wanted[15]}

	const icmpv6, solicitation, sourceLink = 58, 135, 1
	message := append([]byte{solicitation, 0, 0, 0, 0, 0, 0, 0}, wanted[:]...)
	message = append(append(message, sourceLink, 1), w.MAC[:]...)
	pseudo := append(append([]byte{}, source[:]...), group[:]...)
	pseudo = append(pseudo, 0, 0, 0, byte(len(message)), 0, 0, 0, icmpv6)
	binary.BigEndian.PutUint16(message[2:], checksum(append(pseudo, message...)))

	header := []byte{0x60, 0, 0, 0, 0, byte(len(message)), icmpv6, 255}
	header = append(append(header, source[:]...), group[:]...)
	b := ethernet(MAC{0x33, 0x33, group[12], group[13], group[14], group[15]}, w.MAC, etherIPv6)
	return append(append(b, header...), message...)
}
