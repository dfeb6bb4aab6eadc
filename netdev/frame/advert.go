package frame

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"golang.org/x/net/ipv4"
)

// MaxAdvert is the length of the longest VRRP message, in bytes: 8 bytes of
// header and 255 IPv6 addresses, with room for an authentication trailer.
const MaxAdvert = 8 + 255*16 + 256

// An Advert turns the VRRP messages of one virtual router into Ethernet frames
// or IP packets. The headers are built once, and Wrap allocates nothing. It is
// not safe for concurrent use.
type Advert struct {
	buffer  []byte
	headers int
	link    int // length of the Ethernet header, 0 in a routed packet
	v4      bool
	id      uint16
}

// NewAdvert returns an Advert whose Wrap builds Ethernet frames from source to
// the multicast group destination (usually 224.0.0.18 or ff02::12), with mac as
// the Ethernet source: TTL or hop limit 255, protocol 112, class CS6, no
// options (RFC 9568 §5.1.1, §5.1.2, §7.3). Both addresses must be of one family.
func NewAdvert(mac MAC, source, destination netip.Addr) (*Advert, error) {
	source, destination = source.Unmap().WithZone(""), destination.Unmap().WithZone("")
	if !source.IsValid() || source.Is4() != destination.Is4() {
		return nil, fmt.Errorf("build advert frame from %v to %v: not two addresses of one family", source, destination)
	}
	if !destination.IsMulticast() {
		return nil, fmt.Errorf("build advert frame to %v: not a multicast address", destination)
	}
	return newAdvert(mac, source, destination, EthernetLen)
}

// NewRoutedAdvert returns an Advert whose Wrap builds IP packets without an
// Ethernet header, from source to the unicast address destination. Both
// addresses must be of one family.
func NewRoutedAdvert(source, destination netip.Addr) (*Advert, error) {
	source, destination = source.Unmap().WithZone(""), destination.Unmap().WithZone("")
	if !source.IsValid() || source.Is4() != destination.Is4() {
		return nil, fmt.Errorf("build advert packet from %v to %v: not two addresses of one family", source, destination)
	}
	if destination.IsMulticast() {
		return nil, fmt.Errorf("build advert packet to %v: a multicast address", destination)
	}
	return newAdvert(MAC{}, source, destination, 0)
}

// newAdvert builds the headers. link is how many bytes of the Ethernet header
// are wanted: all or none.
func newAdvert(mac MAC, source, destination netip.Addr, link int) (*Advert, error) {
	a := &Advert{v4: source.Is4(), link: link}
	head := advertHeaders6(mac, source, destination)
	if a.v4 {
		var err error
		if head, err = advertHeaders4(mac, source, destination); err != nil {
			return nil, err
		}
	}
	head = head[EthernetLen-link:]
	a.headers = len(head)
	a.buffer = make([]byte, a.headers+MaxAdvert)
	copy(a.buffer, head)
	return a, nil
}

func advertHeaders4(mac MAC, source, destination netip.Addr) ([]byte, error) {
	h := ipv4.Header{
		Version: 4, Len: IPv4Len, TOS: trafficClass, TTL: HopLimit, Protocol: ProtocolVRRP,
		Src: net.IP(source.AsSlice()), Dst: net.IP(destination.AsSlice()),
	}
	b, err := h.Marshal()
	if err != nil {
		return nil, fmt.Errorf("build IPv4 header of advert from %v: %w", source, err)
	}
	return append(ethernetHeader(MulticastMAC(destination), mac, ethernet.EtherTypeIPv4), b...), nil
}

func advertHeaders6(mac MAC, source, destination netip.Addr) []byte {
	b := ethernetHeader(MulticastMAC(destination), mac, ethernet.EtherTypeIPv6)
	b = binary.BigEndian.AppendUint32(b, 6<<28|trafficClass<<20)
	b = append(b, 0, 0, ProtocolVRRP, HopLimit) // Wrap fills in the length
	b = append(b, source.AsSlice()...)
	return append(b, destination.AsSlice()...)
}

// Authenticated changes the protocol of the packets to IP authentication
// header: each message given to Wrap must begin with one. IPv4 only. It returns
// a.
func (a *Advert) Authenticated() *Advert {
	a.buffer[a.link+9] = ProtocolAH
	return a
}

// Hops changes the TTL or hop limit of the packets to n. It returns a.
func (a *Advert) Hops(n uint8) *Advert {
	at := 7
	if a.v4 {
		at = 8
	}
	a.buffer[a.link+at] = n
	return a
}

// Header returns how many bytes precede the IP header.
func (a *Advert) Header() int { return a.link }

// Wrap returns a whole frame or packet with a VRRP message as its payload. It is
// valid until the next Wrap. It is nil if the message is longer than MaxAdvert.
func (a *Advert) Wrap(message []byte) []byte {
	if len(message) > MaxAdvert {
		return nil
	}
	f := a.buffer[:a.headers+len(message)]
	copy(f[a.headers:], message)
	if !a.v4 {
		binary.BigEndian.PutUint16(f[a.link+4:], uint16(len(message)))
		return f
	}
	// The identification changes with every packet, so that a receiver never
	// joins fragments of two adverts. It is never 0, because the kernel would
	// replace a 0 in a routed packet with a number of its own.
	a.id = max(a.id+1, 1)
	h := f[a.link : a.link+IPv4Len]
	binary.BigEndian.PutUint16(h[2:], uint16(IPv4Len+len(message)))
	binary.BigEndian.PutUint16(h[4:], a.id)
	h[10], h[11] = 0, 0
	binary.BigEndian.PutUint16(h[10:], fold(sum(h, 0)))
	return f
}
