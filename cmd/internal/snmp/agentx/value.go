package agentx

// A Kind is the type of a value (RFC 2741 §5.4).
type Kind uint16

// The kinds.
const (
	KindInteger        Kind = 2
	KindOctets         Kind = 4
	KindNull           Kind = 5
	KindOID            Kind = 6
	KindIPAddress      Kind = 64
	KindCounter32      Kind = 65
	KindGauge          Kind = 66 // and Unsigned32
	KindTimeTicks      Kind = 67
	KindOpaque         Kind = 68
	KindCounter64      Kind = 70
	KindNoSuchObject   Kind = 128
	KindNoSuchInstance Kind = 129
	KindEndOfView      Kind = 130
)

// A Value is the value of an object. Kind determines which field is used: Number
// for numbers (a negative Integer as 32-bit two's complement), Bytes for Octets,
// IPAddress and Opaque, OID for OID, and none for the others.
type Value struct {
	Kind   Kind
	Number uint64
	Bytes  []byte
	OID    OID
}

// Values that mean that there is no value.
var (
	NoSuchObject   = Value{Kind: KindNoSuchObject}
	NoSuchInstance = Value{Kind: KindNoSuchInstance}
	EndOfView      = Value{Kind: KindEndOfView}
)

// Integer returns an INTEGER or Integer32.
func Integer(n int32) Value { return Value{Kind: KindInteger, Number: uint64(uint32(n))} }

// Gauge returns a Gauge32 or Unsigned32.
func Gauge(n uint32) Value { return Value{Kind: KindGauge, Number: uint64(n)} }

// Counter32 returns a Counter32. It wraps to 0 after 2³²-1.
func Counter32(n uint32) Value { return Value{Kind: KindCounter32, Number: uint64(n)} }

// Counter64 returns a Counter64.
func Counter64(n uint64) Value { return Value{Kind: KindCounter64, Number: n} }

// TimeTicks returns a time in hundredths of a second.
func TimeTicks(n uint32) Value { return Value{Kind: KindTimeTicks, Number: uint64(n)} }

// Octets returns an OCTET STRING.
func Octets(b []byte) Value { return Value{Kind: KindOctets, Bytes: b} }

// Identifier returns an OBJECT IDENTIFIER.
func Identifier(o OID) Value { return Value{Kind: KindOID, OID: o} }

// A Variable is the name and the value of an object.
type Variable struct {
	Name  OID
	Value Value
}
