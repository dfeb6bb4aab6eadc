package netdev

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"golang.org/x/net/ipv4"
)

const (
	protocolVRRP = 112
	// trafficClass is DSCP CS6, internetwork control.
	trafficClass = 0xc0
	hopLimit     = 255
	// maxAdvert bounds a VRRP message: 8 bytes of header and 255 IPv6
	// addresses, with room for an authentication trailer.
	maxAdvert = 8 + 255*16 + 256
)

// An AdvertFrame turns VRRP messages of one virtual router into Ethernet
// frames. Headers are built once; Wrap allocates nothing. It is not safe for
// concurrent use.
type AdvertFrame struct {
	buffer  []byte
	headers int
	link    int // length of the Ethernet header
	v4      bool
	id      uint16
}

// NewAdvertFrame returns the frame of adverts from source to the multicast
// group destination (224.0.0.18 or ff02::12 as a rule), with mac as the Ethernet source:
// TTL or hop limit 255, protocol 112, class CS6, no options
// (RFC 9568 §5.1.1, §5.1.2, §7.3). Both addresses must be of one family.
func NewAdvertFrame(mac MAC, source, destination netip.Addr) (*AdvertFrame, error) {
	source, destination = source.Unmap().WithZone(""), destination.Unmap().WithZone("")
	if !source.IsValid() || source.Is4() != destination.Is4() {
		return nil, fmt.Errorf("build advert frame from %v to %v: not two addresses of one family", source, destination)
	}
	if !destination.IsMulticast() {
		return nil, fmt.Errorf("build advert frame to %v: not a multicast address", destination)
	}
	return newAdvertFrame(mac, source, destination, etherLen)
}

// newAdvertFrame builds the headers. link is how much of the Ethernet header
// is wanted: all or nothing.
func newAdvertFrame(mac MAC, source, destination netip.Addr, link int) (*AdvertFrame, error) {
	a := &AdvertFrame{v4: source.Is4(), link: link}
	head := advertHeaders6(mac, source, destination)
	if a.v4 {
		var err error
		if head, err = advertHeaders4(mac, source, destination); err != nil {
			return nil, err
		}
	}
	head = head[etherLen-link:]
	a.headers = len(head)
	a.buffer = make([]byte, a.headers+maxAdvert)
	copy(a.buffer, head)
	return a, nil
}

func advertHeaders4(mac MAC, source, destination netip.Addr) ([]byte, error) {
	h := ipv4.Header{
		Version: 4, Len: ipv4Len, TOS: trafficClass, TTL: hopLimit, Protocol: protocolVRRP,
		Src: net.IP(source.AsSlice()), Dst: net.IP(destination.AsSlice()),
	}
	b, err := h.Marshal()
	if err != nil {
		return nil, fmt.Errorf("build IPv4 header of advert from %v: %w", source, err)
	}
	return append(etherHeader(MulticastMAC(destination), mac, ethernet.EtherTypeIPv4), b...), nil
}

func advertHeaders6(mac MAC, source, destination netip.Addr) []byte {
	b := etherHeader(MulticastMAC(destination), mac, ethernet.EtherTypeIPv6)
	b = binary.BigEndian.AppendUint32(b, 6<<28|trafficClass<<20)
	b = append(b, 0, 0, protocolVRRP, hopLimit) // the length comes with Wrap
	b = append(b, source.AsSlice()...)
	return append(b, destination.AsSlice()...)
}

// Authenticated makes the frames carry an IP authentication header: the message
// that Wrap is given begins with it. It is for IPv4 only.
func (a *AdvertFrame) Authenticated() *AdvertFrame {
	a.buffer[a.link+9] = protocolAH
	return a
}

// Hops makes the frames carry another TTL or hop limit than 255.
func (a *AdvertFrame) Hops(n uint8) *AdvertFrame {
	at := 7
	if a.v4 {
		at = 8
	}
	a.buffer[a.link+at] = n
	return a
}

// Header returns how many bytes are in front of the IP header.
func (a *AdvertFrame) Header() int { return a.link }

// Wrap returns a whole frame with the VRRP message as payload. The frame is
// valid until the next Wrap. It is nil if the message is longer than any
// VRRP message can be.
func (a *AdvertFrame) Wrap(message []byte) []byte {
	if len(message) > maxAdvert {
		return nil
	}
	f := a.buffer[:a.headers+len(message)]
	copy(f[a.headers:], message)
	if !a.v4 {
		binary.BigEndian.PutUint16(f[a.link+4:], uint16(len(message)))
		return f
	}
	// The identification changes with each frame, so that a receiver never
	// joins fragments of two adverts.
	a.id = max(a.id+1, 1) // the kernel would choose another for a Routed packet without
	h := f[a.link : a.link+ipv4Len]
	binary.BigEndian.PutUint16(h[2:], uint16(ipv4Len+len(message)))
	binary.BigEndian.PutUint16(h[4:], a.id)
	h[10], h[11] = 0, 0
	binary.BigEndian.PutUint16(h[10:], fold(sum(h, 0)))
	return f
}
