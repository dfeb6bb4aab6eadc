package bfd

// A Drop names the check that a received packet failed.
type Drop uint8

// The checks, in the order in which they are made (RFC 5880 §6.8.6).
const (
	DropNone              Drop = iota // no check failed
	DropLength                        // shorter than it must be or says to be
	DropVersion                       // not 1
	DropMultiplier                    // a detection multiplier of 0
	DropMultipoint                    // the multipoint bit, which must be clear
	DropMyDiscriminator               // the sender's discriminator is 0
	DropYourDiscriminator             // ours is 0, though the sender says Init or Up
	DropAuth                          // authenticated, which we are not
	DropSession                       // no session has the discriminator
	DropNeighbour                     // no session has the source as its neighbour, or this one has not
	DropPort                          // a multihop session's packet at the single-hop port, or the reverse
	DropInterface                     // received on another interface than the session's
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

// String returns the name of the check in the status, such as "ttl", and ""
// for DropNone.
func (d Drop) String() string {
	if int(d) < NumDrops {
		return dropNames[d]
	}
	return "?"
}
