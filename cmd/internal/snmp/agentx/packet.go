package agentx

// A Type is the type of a packet (RFC 2741 §6.1).
type Type uint8

// The types.
const (
	TypeOpen       Type = 1
	TypeClose      Type = 2
	TypeRegister   Type = 3
	TypeGet        Type = 5
	TypeGetNext    Type = 6
	TypeGetBulk    Type = 7
	TypeTestSet    Type = 8
	TypeCommitSet  Type = 9
	TypeUndoSet    Type = 10
	TypeCleanupSet Type = 11
	TypeNotify     Type = 12
	TypePing       Type = 13
	TypeResponse   Type = 18
)

// A Packet is one message. Its Body determines its type.
type Packet struct {
	Session, Transaction, Number uint32
	// Context is the SNMP context of the names. "" is the default context.
	Context string
	Body    Body
}

// A Body is the content of a packet.
type Body interface {
	kind() Type
	append(b []byte) []byte
}

// Packets that a sub-agent sends. The master agent answers each with a Response.
type (
	// Open begins a session.
	Open struct {
		Timeout     uint8 // seconds that an answer may take; 0: the master agent decides
		ID          OID   // identifies the sub-agent; may be empty
		Description string
	}

	// Close ends a session. Either side sends it.
	Close struct{ Reason Reason }

	// Register registers the objects below a name.
	Register struct {
		Timeout  uint8 // as in Open
		Priority uint8 // of several registrations the lowest value wins
		Subtree  OID
	}

	// Notify asks the master agent to send a notification. The first variable may be
	// sysUpTime. The next one, or else the first, is snmpTrapOID.
	Notify struct{ Variables []Variable }

	// Ping asks whether the master agent is alive.
	Ping struct{}
)

// Packets that the master agent sends.
type (
	// Get asks for the value of the object at the Start of each range.
	Get struct{ Ranges []Range }

	// GetNext asks for the first object in each range.
	GetNext struct{ Ranges []Range }

	// GetBulk asks for the first object in each of the first NonRepeaters ranges. In
	// each other range it asks for up to MaxRepetitions objects.
	GetBulk struct {
		NonRepeaters, MaxRepetitions uint16
		Ranges                       []Range
	}

	// TestSet asks whether values can be set.
	TestSet struct{ Variables []Variable }

	// CommitSet sets the values of the TestSet.
	CommitSet struct{}

	// UndoSet reverts the CommitSet.
	UndoSet struct{}

	// CleanupSet ends the transaction that TestSet began. It gets no answer.
	CleanupSet struct{}
)

// Response answers any of the packets above except CleanupSet.
type Response struct {
	UpTime    uint32 // sysUpTime; only the master agent sets it
	Error     Error
	Index     uint16 // of the variable that caused the error, from 1; 0: none
	Variables []Variable
}

// A Range is a range of names. It contains Start only if Include is set. It ends
// before End. Without End it has no limit.
type Range struct {
	Start   OID
	Include bool
	End     OID
}

func (*Open) kind() Type       { return TypeOpen }
func (*Close) kind() Type      { return TypeClose }
func (*Register) kind() Type   { return TypeRegister }
func (*Get) kind() Type        { return TypeGet }
func (*GetNext) kind() Type    { return TypeGetNext }
func (*GetBulk) kind() Type    { return TypeGetBulk }
func (*TestSet) kind() Type    { return TypeTestSet }
func (*CommitSet) kind() Type  { return TypeCommitSet }
func (*UndoSet) kind() Type    { return TypeUndoSet }
func (*CleanupSet) kind() Type { return TypeCleanupSet }
func (*Notify) kind() Type     { return TypeNotify }
func (*Ping) kind() Type       { return TypePing }
func (*Response) kind() Type   { return TypeResponse }

// hasContext reports whether packets of the type may carry a context.
func hasContext(t Type) bool {
	switch t {
	case TypeRegister, TypeGet, TypeGetNext, TypeGetBulk, TypeTestSet, TypeNotify, TypePing:
		return true
	}
	return false
}
