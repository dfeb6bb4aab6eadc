package agentx

import (
	"slices"
	"strconv"
)

// An OID is an object identifier. The empty one is the null identifier of
// RFC 2741, which bounds nothing.
type OID []uint32

// MaxSubIDs is the length of the longest identifier (RFC 2578 §3.5).
const MaxSubIDs = 128

// Append returns o with more behind it, in memory of its own.
func (o OID) Append(more ...uint32) OID { return slices.Concat(o, OID(more)) }

// Compare tells the order in which SNMP walks.
func (o OID) Compare(p OID) int { return slices.Compare(o, p) }

// Under reports whether o is p or below it.
func (o OID) Under(p OID) bool { return len(o) >= len(p) && slices.Equal(o[:len(p)], p) }

// String returns "1.3.6.1.2.1.207".
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
