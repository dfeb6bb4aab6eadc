package bfd

// A Drop names the check for which a received packet was discarded.
type Drop uint8

// The checks, in the order in which they are made (RFC 5880 §6.8.6).
const (
	DropNone              Drop = iota // heed the packet
	DropLength                        // shorter than it must be or says to be
	DropVersion                       // not 1
	DropMultiplier                    // a detection multiplier of 0
	DropMultipoint                    // the multipoint bit, which must be clear
	DropMyDiscriminator               // the sender's discriminator is 0
	DropYourDiscriminator             // ours is 0, though the sender says Init or Up
	DropAuth                          // authenticated, which we are not
	DropSession                       // our discriminator is that of no session
	DropNeighbour                     // from an address that is nobody's neighbour, or not this session's
	DropPort                          // of a multihop session to the port of single hops, or the other way round
	DropInterface                     // came in by another interface than the session's
	DropDestination                   // to another address than the session's source
	DropTTL                           // TTL or hop limit too low: it crossed too many routers
	DropAdminDown                     // the session is being ended

	// NumDrops is the length of an array with one element per Drop.
	NumDrops = int(iota)
)

var dropNames = [NumDrops]string{
	DropLength:            "length",
	DropVersion:           "version",
	DropMultiplier:        "multiplier",
	DropMultipoint:        "multipoint",
	DropMyDiscriminator:   "my_discriminator",
	DropYourDiscriminator: "your_discriminator",
	DropAuth:              "auth",
	DropSession:           "session",
	DropNeighbour:         "neighbour",
	DropPort:              "port",
	DropInterface:         "interface",
	DropDestination:       "destination",
	DropTTL:               "ttl",
	DropAdminDown:         "admin_down",
}

// String returns the name of the check as the status has it, such as "ttl", and
// "" for DropNone.
func (d Drop) String() string {
	if int(d) < NumDrops {
		return dropNames[d]
	}
	return "?"
}
