package speaker

import (
	"net/netip"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/auth"
)

// A Port sends and receives packets on all interfaces.
type Port interface {
	// Receive appends the packets that have arrived to into and returns the
	// result. It blocks until there is one, the deadline has passed (the zero time
	// means never) or Wake was called. The packets are valid until the next call.
	// After an error the port cannot be used any more.
	Receive(deadline time.Time, into []Packet) ([]Packet, error)
	// Send sends frames in order, in as few system calls as it can. If a frame
	// cannot be sent, it goes on with the next. It returns one SendError for each
	// interface on which frames could not be sent.
	Send(frames []Frame) []SendError
	// Wake makes Receive return. It may be called from any goroutine.
	Wake()
}

// A Companion is another protocol that is as urgent as VRRP. The loop waits for it
// too, so that it is served by the same thread and the same system call. Whoever
// makes the Port has it return from Receive when a packet for the companion has
// arrived.
type Companion interface {
	// Deadline returns when Turn must be called again. The zero time means never.
	Deadline() time.Time
	// Turn does what has become due and handles what has arrived. The loop calls it
	// in each of its turns, after adverts were handled and sent, and before commands:
	// what it has queued by a method that does not wait is done in the same turn. It
	// must not block.
	Turn()
}

// A SendError says that frames could not be sent on an interface.
type SendError struct {
	IfIndex int
	Err     error
}

// A Packet is an advert as it arrived.
type Packet struct {
	IfIndex int
	vrrp.Packet
	// Datagram is the whole IP packet if it has an IP authentication header, and
	// nil otherwise.
	Datagram []byte
}

// A Frame is what is sent on an interface: a whole Ethernet frame or, if
// Routed is set, a whole IP packet for which the kernel finds the Ethernet
// address.
type Frame struct {
	IfIndex int
	Bytes   []byte
	Routed  bool
}

// A TxConfig is how a virtual router transmits: from where, to whom, and with
// which headers. The speaker does not change it; [Speaker.SetTx] replaces it.
type TxConfig struct {
	// IfIndex is the interface that adverts are received and sent on.
	IfIndex int
	// Interface is its name, by which BFD sessions are known: see SessionUp.
	Interface string
	// Source is the interface's own address, which adverts come from. The zero
	// Addr means that there is none: nothing is sent.
	Source netip.Addr
	// Wrap returns a whole Ethernet frame to the group Multicast with the advert
	// as payload. The speaker copies it before it calls Wrap again.
	Wrap      func(advert []byte) []byte
	Multicast netip.Addr
	// WrapBackup is for BACKUP ADVERTISEMENTS, which vrrp.Config.Fast needs. It returns
	// a whole IP packet to a router or, with the zero Addr, a whole Ethernet frame to the
	// group Multicast, whose source is the interface's own MAC address. The speaker
	// copies it before it calls WrapBackup again. BackupHeader is how many bytes of such
	// a frame come before the IP header.
	WrapBackup   func(to netip.Addr, message []byte) []byte
	BackupHeader int
	// Peers are the unicast peers. A router whose Config.Unicast is set sends to
	// them, and never to the multicast group.
	Peers []PeerTx
	// Auth says how adverts are authenticated. The advert that is passed to Wrap
	// includes the authentication header or trailer.
	Auth auth.Config
	// Header is how many bytes of Wrap's frames come before the IP header. Only
	// authentication needs it.
	Header int
	// Also is how adverts are sent on further paths: those of Config.Paths, by name.
	Also []PathTx
	// Announcements are the gratuitous ARP and unsolicited neighbour advertisement
	// frames of the addresses, in the order of the addresses.
	Announcements []Frame
	// Ends[i] is how many of the Announcements belong to addresses 0 to i.
	Ends []int
}

// A PathTx is how a virtual router transmits on one path. Its fields are those of
// TxConfig.
type PathTx struct {
	Name      string // vrrp.PathConfig.Name; "" for the first path
	IfIndex   int
	Source    netip.Addr
	Wrap      func(advert []byte) []byte
	Multicast netip.Addr
	Peers     []PeerTx
	Header    int

	WrapBackup   func(to netip.Addr, message []byte) []byte
	BackupHeader int
}

// A PeerTx is how adverts are sent to one unicast peer.
type PeerTx struct {
	Address netip.Addr
	// Wrap returns a whole IP packet with the advert as payload. The speaker copies
	// it before it calls Wrap again.
	Wrap func(advert []byte) []byte
}

// An AnnounceConfig says how often addresses are announced.
type AnnounceConfig struct {
	Repeat        int           // rounds at a takeover; a round announces every address once
	Delay         time.Duration // from the takeover to a second burst of Repeat rounds; 0: no second burst
	Refresh       time.Duration // between refresh bursts while MASTER; 0: none
	RefreshRepeat int           // rounds of a refresh burst
	Interval      time.Duration // between two frames; 0: no pause
}

// An Order asks for a change of the host that may take time: Verb is vrrp.Claim,
// vrrp.Mute or vrrp.Release. [Speaker.Answer] reports the outcome of a claim, and
// [Speaker.ClaimProgress] how far an Unserved one is.
type Order struct {
	Router   string
	Verb     vrrp.Verb
	Unserved bool       // vrrp.Claim: as vrrp.Action says
	Lost     netip.Addr // vrrp.Claim: as vrrp.Action says
	Planned  bool       // vrrp.Claim: as vrrp.Action says
	Seq      uint64
}

// A ClaimProgress says how many addresses of a claim are up, from the first.
type ClaimProgress struct {
	Order     Order
	Addresses int
}

// A Report is one change of a router or, with an empty Router, of a group. A
// report without a Verb says that an advert was refused because of a protocol
// error.
type Report struct {
	At          time.Time
	Group       string // "" for a lone router
	Router      string
	Verb        vrrp.Verb // vrrp.Transition, vrrp.Rival, vrrp.PriorityChanged, vrrp.HeldBack, vrrp.Stopped, vrrp.PathChanged, vrrp.WantSession or vrrp.FastChanged
	From, To    vrrp.State
	Priority    uint8
	OldPriority uint8 // vrrp.PriorityChanged: the priority before
	Why         string
	Peer        *vrrp.Peer // vrrp.Rival: who it is; nil: it has stopped advertising; vrrp.FastChanged: as vrrp.Action says
	Sessions    []Session  // vrrp.WantSession: by which the MASTER is watched, one for each path on which it has been heard
	Armed       bool       // vrrp.FastChanged: as vrrp.Action says
	Takeover    vrrp.Takeover
	// Drop is why adverts are refused: those that caused a protocol error, or with
	// vrrp.Rival those of Peer.
	Drop vrrp.Drop
	// Gone says that a refused Peer no longer advertises as MASTER, or that this
	// router is no longer MASTER itself. To is its state.
	Gone bool
}
