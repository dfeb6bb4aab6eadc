package agentx

import (
	"slices"
	"strconv"
)

// An OID is an object identifier. The empty OID is the null identifier of
// RFC 2741. As the end of a Range it means no limit.
type OID []uint32

// MaxSubIDs is the maximum length of an identifier (RFC 2578 §3.5).
const MaxSubIDs = 128

// Append returns a new OID that consists of o and more.
func (o OID) Append(more ...uint32) OID { return slices.Concat(o, OID(more)) }

// Compare compares two OIDs in the order of an SNMP walk. It returns -1, 0 or 1.
func (o OID) Compare(p OID) int { return slices.Compare(o, p) }

// Under reports whether o is p or below it.
func (o OID) Under(p OID) bool { return len(o) >= len(p) && slices.Equal(o[:len(p)], p) }

// String returns o in dotted notation, such as "1.3.6.1.2.1.207".
func (o OID) String() string {
	var b []byte
	for i, id := range o {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(id), 10)
	}
	return string(b)
}
