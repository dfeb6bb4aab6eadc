package agentx

// A Type is a packet's type (RFC 2741 §6.1).
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

// A Packet is one message. Its Body says what its type is.
type Packet struct {
	Session, Transaction, Number uint32
	// Context is the context in which names count; "" is the default one.
	Context string
	Body    Body
}

// A Body is the content of a packet.
type Body interface {
	kind() Type
	append(b []byte) []byte
}

// What a session asks of the master agent. It answers each with a Response.
type (
	// Open begins a session.
	Open struct {
		Timeout     uint8 // seconds that an answer may take; 0: the master's choice
		ID          OID   // of who opens it; may be empty
		Description string
	}

	// Close ends a session. Either side sends it.
	Close struct{ Reason Reason }

	// Register offers the objects below a name.
	Register struct {
		Timeout  uint8 // as in Open
		Priority uint8 // the lowest serves what several offer
		Subtree  OID
	}

	// Notify has a notification sent. The second variable, or the first if
	// sysUpTime is not given, is snmpTrapOID.
	Notify struct{ Variables []Variable }

	// Ping asks whether the other side lives.
	Ping struct{}
)

// What the master agent asks.
type (
	// Get asks for the values of the ranges' Starts.
	Get struct{ Ranges []Range }

	// GetNext asks for the first object in each range.
	GetNext struct{ Ranges []Range }

	// GetBulk is GetNext for the first NonRepeaters ranges, and asks for up to
	// MaxRepetitions objects of each of the others.
	GetBulk struct {
		NonRepeaters, MaxRepetitions uint16
		Ranges                       []Range
	}

	// TestSet asks whether values can be set.
	TestSet struct{ Variables []Variable }

	// CommitSet sets what was tested.
	CommitSet struct{}

	// UndoSet takes back what CommitSet set.
	UndoSet struct{}

	// CleanupSet ends what TestSet began. It is not answered.
	CleanupSet struct{}
)

// Response answers any of these but CleanupSet.
type Response struct {
	UpTime    uint32 // sysUpTime, from the master agent alone
	Error     Error
	Index     uint16 // of the variable that the error is about, from 1; 0: none
	Variables []Variable
}

// A Range is a part of the space of names: from Start, or behind it unless
// Include is set, to before End if there is one.
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
