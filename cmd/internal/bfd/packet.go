package bfd

import (
	"encoding/binary"
	"strconv"
	"time"
)

// A State is the state of a session, as encoded in packets (RFC 5880 §4.1).
type State uint8

// The states.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String returns the name of RFC 5880.
func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	case Up:
		return "Up"
	}
	return "state " + strconv.Itoa(int(s))
}

// A Diag says why a session last left Up (RFC 5880 §4.1).
type Diag uint8

// The diagnostic codes that we send.
const (
	DiagNone          Diag = 0
	DiagExpired       Diag = 1
	DiagNeighbourDown Diag = 3
	DiagAdminDown     Diag = 7
)

var diagNames = [...]string{
	"no diagnostic", "control detection time expired", "echo function failed", "neighbour signaled session down",
	"forwarding plane reset", "path down", "concatenated path down", "administratively down", "reverse concatenated path down",
}

// String returns the name of RFC 5880 in small letters.
func (d Diag) String() string {
	if int(d) < len(diagNames) {
		return diagNames[d]
	}
	return "diagnostic " + strconv.Itoa(int(d))
}

// A Packet is a control packet without an authentication section.
type Packet struct {
	Diag        Diag
	State       State
	Poll, Final bool
	Demand      bool
	Multiplier  uint8
	Mine, Yours uint32 // discriminators, from the sender's view
	// Whole microseconds, up to MaxInterval.
	MinTx, MinRx, MinEchoRx time.Duration
}

// MaxInterval is the longest interval that a packet can express.
const MaxInterval = (1<<32 - 1) * time.Microsecond

const (
	version = 1
	// PacketLen is the length of a packet in bytes.
	PacketLen = 24
	// minAuthLen is the length of the shortest packet with authentication.
	minAuthLen = 26
)

const (
	flagPoll       = 1 << 5
	flagFinal      = 1 << 4
	flagAuth       = 1 << 2
	flagDemand     = 1 << 1
	flagMultipoint = 1 << 0
)

// Append appends the packet to b.
func (p *Packet) Append(b []byte) []byte {
	flags := byte(p.State) << 6
	for _, f := range [...]struct {
		set bool
		bit byte
	}{{p.Poll, flagPoll}, {p.Final, flagFinal}, {p.Demand, flagDemand}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, version<<5|byte(p.Diag)&0x1f, flags, p.Multiplier, PacketLen)
	b = binary.BigEndian.AppendUint32(b, p.Mine)
	b = binary.BigEndian.AppendUint32(b, p.Yours)
	b = binary.BigEndian.AppendUint32(b, uint32(p.MinTx/time.Microsecond))
	b = binary.BigEndian.AppendUint32(b, uint32(p.MinRx/time.Microsecond))
	return binary.BigEndian.AppendUint32(b, uint32(p.MinEchoRx/time.Microsecond))
}

// Decode reads a UDP payload and makes those checks of RFC 5880 §6.8.6 that
// need only the packet. p is undefined unless it returns DropNone.
func Decode(b []byte, p *Packet) Drop {
	if len(b) < PacketLen {
		return DropLength
	}
	if b[0]>>5 != version {
		return DropVersion
	}
	flags, length := b[1], int(b[3])
	auth := flags&flagAuth != 0
	if length < PacketLen || auth && length < minAuthLen || length > len(b) {
		return DropLength
	}
	*p = Packet{
		Diag: Diag(b[0] & 0x1f), State: State(flags >> 6),
		Poll: flags&flagPoll != 0, Final: flags&flagFinal != 0, Demand: flags&flagDemand != 0,
		Multiplier: b[2], Mine: binary.BigEndian.Uint32(b[4:]), Yours: binary.BigEndian.Uint32(b[8:]),
		MinTx: micros(b[12:]), MinRx: micros(b[16:]), MinEchoRx: micros(b[20:]),
	}
	switch {
	case p.Multiplier == 0:
		return DropMultiplier
	case flags&flagMultipoint != 0:
		return DropMultipoint
	case p.Mine == 0:
		return DropMyDiscriminator
	case p.Yours == 0 && p.State != Down && p.State != AdminDown:
		return DropYourDiscriminator
	case auth:
		return DropAuth
	}
	return DropNone
}

func micros(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
