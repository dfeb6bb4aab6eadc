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

// A Value is what an object has. Its kind says which field counts: Number for
// numbers (a negative Integer as its two's complement of 32 bits), Bytes for
// Octets, IPAddress and Opaque, OID for OID, none for the others.
type Value struct {
	Kind   Kind
	Number uint64
	Bytes  []byte
	OID    OID
}

// The values that say that there is none.
var (
	NoSuchObject   = Value{Kind: KindNoSuchObject}
	NoSuchInstance = Value{Kind: KindNoSuchInstance}
	EndOfView      = Value{Kind: KindEndOfView}
)

// Integer is an INTEGER or Integer32.
func Integer(n int32) Value { return Value{Kind: KindInteger, Number: uint64(uint32(n))} }

// Gauge is a Gauge32 or Unsigned32.
func Gauge(n uint32) Value { return Value{Kind: KindGauge, Number: uint64(n)} }

// Counter32 is a counter that begins anew after 2³²-1.
func Counter32(n uint32) Value { return Value{Kind: KindCounter32, Number: uint64(n)} }

// Counter64 is a counter.
func Counter64(n uint64) Value { return Value{Kind: KindCounter64, Number: n} }

// TimeTicks is a number of hundredths of a second.
func TimeTicks(n uint32) Value { return Value{Kind: KindTimeTicks, Number: uint64(n)} }

// Octets is an OCTET STRING.
func Octets(b []byte) Value { return Value{Kind: KindOctets, Bytes: b} }

// Identifier is an OBJECT IDENTIFIER.
func Identifier(o OID) Value { return Value{Kind: KindOID, OID: o} }

// A Variable is an object with its value.
type Variable struct {
	Name  OID
	Value Value
}
