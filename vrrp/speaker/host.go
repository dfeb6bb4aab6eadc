package speaker

import (
	"net/netip"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/auth"
)

// A Port is where a speaker hears and speaks, on all interfaces.
type Port interface {
	// Receive appends what has come to into and returns it. It blocks until
	// there is something, the deadline has passed (the zero time is never) or
	// Wake was called. Packets are valid until the next call. An error is
	// final: the port is of no use any more.
	Receive(deadline time.Time, into []Packet) ([]Packet, error)
	// Send sends whole frames, in order, in as few system calls as it can.
	// A frame that cannot be sent does not keep the others from being sent.
	// It returns one Refusal for each interface that had such frames.
	Send(frames []Frame) []SendError
	// Wake makes Receive return. It may be called from any goroutine.
	Wake()
}

// A Refusal says that an interface does not take frames.
type SendError struct {
	IfIndex int
	Err     error
}

// A Packet is an advert as it came.
type Packet struct {
	IfIndex int
	vrrp.Packet
	// Datagram is the whole IP packet if an IP authentication header stands
	// before the payload, and nil otherwise.
	Datagram []byte
}

// A Frame is what leaves through an interface: a whole Ethernet frame or, if
// it is Routed, an IP packet with its header, for which the kernel is to find
// the Ethernet address.
type Frame struct {
	IfIndex int
	Bytes   []byte
	Routed  bool
}

// A Voice is how a virtual router speaks on its interface. The speaker reads
// it only; a change comes as a new Voice.
type TxConfig struct {
	// IfIndex is the interface on which it hears and speaks.
	IfIndex int
	// Source is the interface's own address, the adverts' source.
	Source netip.Addr
	// Wrap returns a whole frame with the advert as payload, to the multicast
	// group Group. What it returns may be valid until the next call only.
	Wrap      func(advert []byte) []byte
	Multicast netip.Addr
	// Lines are the ways to the peers of a router that speaks unicast, to
	// which adverts go instead.
	Peers []PeerTx
	// Auth says how adverts are authenticated. The advert that Wrap gets then
	// includes what goes in front of it and behind it.
	Auth auth.Config
	// Header is how many bytes the frames of Wrap have in front of the IP
	// header. It is needed with Auth alone.
	Header int
	// Announcements are the gratuitous ARP and unsolicited neighbour
	// advertisement frames of its addresses, each with the interface through
	// which it goes.
	Announcements []Frame
	// Ends says for each address how many of the Announcements go with it and
	// those before it.
	Ends []int
}

// A Line is the way to one peer.
type PeerTx struct {
	Address netip.Addr
	// Wrap returns a whole IP packet with the advert as payload, as Voice.Wrap.
	Wrap func(advert []byte) []byte
}

// A Pace says how often addresses are announced.
type AnnounceConfig struct {
	Repeat        int           // rounds at a takeover; one round announces every address once
	Delay         time.Duration // from the takeover to a second burst of as many rounds; 0: none
	Refresh       time.Duration // between refreshing bursts while MASTER; 0: none
	RefreshRepeat int           // rounds of a refreshing burst
	Interval      time.Duration // between two frames; 0: as they come
}

// An Order asks for a slow change of the host: Verb is vrrp.Claim, vrrp.Mute
// or vrrp.Release. Claims are answered with [Speaker.Answer]; before that, if
// nobody serves the addresses, [Speaker.Tally] may tell how far they are.
type Order struct {
	Router   string
	Verb     vrrp.Verb
	Unserved bool // vrrp.Claim: as vrrp.Action says
	Seq      uint64
}

// A Part is how many addresses of a claim are up, from the first.
type ClaimProgress struct {
	Order     Order
	Addresses int
}

// A Report tells of a change. Group reports have an empty Router. One with a
// Drop tells that adverts are dropped for a protocol error, and has no Verb.
type Report struct {
	At          time.Time
	Group       string // "" for a lone router
	Router      string
	Verb        vrrp.Verb // vrrp.Transition, vrrp.Rival, vrrp.Repriced or vrrp.Stopped
	From, To    vrrp.State
	Priority    uint8
	OldPriority uint8 // vrrp.Repriced: the priority before
	Why         string
	Peer        *vrrp.Peer // vrrp.Rival: who it is; nil: it has fallen silent
	Takeover    vrrp.Takeover
	Drop        vrrp.Drop
}
