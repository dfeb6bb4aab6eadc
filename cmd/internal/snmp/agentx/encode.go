package agentx

import (
	"encoding/binary"
)

const (
	version   = 1
	headerLen = 20

	flagContext      = 0x08
	flagNetworkOrder = 0x10
)

// internet is the prefix that an encoded identifier may leave out. The next number
// of the identifier is then encoded in one byte.
var internet = OID{1, 3, 6, 1}

// Append appends the packet to b, in network byte order.
func (p *Packet) Append(b []byte) []byte {
	start := len(b)
	flags := byte(flagNetworkOrder)
	if p.Context != "" && hasContext(p.Body.kind()) {
		flags |= flagContext
	}
	b = append(b, version, byte(p.Body.kind()), flags, 0)
	b = appendUint32(b, p.Session, p.Transaction, p.Number, 0)
	if flags&flagContext != 0 {
		b = appendOctets(b, []byte(p.Context))
	}
	b = p.Body.append(b)
	binary.BigEndian.PutUint32(b[start+16:], uint32(len(b)-start-headerLen))
	return b
}

func (o *Open) append(b []byte) []byte {
	b = append(b, o.Timeout, 0, 0, 0)
	b = appendOID(b, o.ID, false)
	return appendOctets(b, []byte(o.Description))
}

func (c *Close) append(b []byte) []byte { return append(b, byte(c.Reason), 0, 0, 0) }

func (r *Register) append(b []byte) []byte {
	return appendOID(append(b, r.Timeout, r.Priority, 0, 0), r.Subtree, false)
}

func (n *Notify) append(b []byte) []byte   { return appendVariables(b, n.Variables) }
func (*Ping) append(b []byte) []byte       { return b }
func (g *Get) append(b []byte) []byte      { return appendRanges(b, g.Ranges) }
func (g *GetNext) append(b []byte) []byte  { return appendRanges(b, g.Ranges) }
func (t *TestSet) append(b []byte) []byte  { return appendVariables(b, t.Variables) }
func (*CommitSet) append(b []byte) []byte  { return b }
func (*UndoSet) append(b []byte) []byte    { return b }
func (*CleanupSet) append(b []byte) []byte { return b }

func (g *GetBulk) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, g.NonRepeaters)
	b = binary.BigEndian.AppendUint16(b, g.MaxRepetitions)
	return appendRanges(b, g.Ranges)
}

func (r *Response) append(b []byte) []byte {
	b = appendUint32(b, r.UpTime)
	b = binary.BigEndian.AppendUint16(b, uint16(r.Error))
	b = binary.BigEndian.AppendUint16(b, r.Index)
	return appendVariables(b, r.Variables)
}

func appendUint32(b []byte, numbers ...uint32) []byte {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// appendOID appends an identifier (RFC 2741 §5.1). It encodes the first five
// numbers as one byte if possible.
func appendOID(b []byte, o OID, include bool) []byte {
	prefix := byte(0)
	if len(o) > len(internet) && o.Under(internet) && o[4] > 0 && o[4] < 256 {
		prefix, o = byte(o[4]), o[5:]
	}
	flag := byte(0)
	if include {
		flag = 1
	}
	return appendUint32(append(b, byte(len(o)), prefix, flag, 0), o...)
}

// appendOctets appends a string with its length, padded to a multiple of four bytes.
func appendOctets(b, s []byte) []byte {
	b = append(appendUint32(b, uint32(len(s))), s...)
	return append(b, make([]byte, -len(s)&3)...)
}

func appendRanges(b []byte, ranges []Range) []byte {
	for _, r := range ranges {
		b = appendOID(b, r.Start, r.Include)
		b = appendOID(b, r.End, false)
	}
	return b
}

func appendVariables(b []byte, variables []Variable) []byte {
	for _, v := range variables {
		b = append(b, byte(v.Value.Kind>>8), byte(v.Value.Kind), 0, 0)
		b = appendOID(b, v.Name, false)
		switch v.Value.Kind {
		case KindInteger, KindCounter32, KindGauge, KindTimeTicks:
			b = appendUint32(b, uint32(v.Value.Number))
		case KindCounter64:
			b = binary.BigEndian.AppendUint64(b, v.Value.Number)
		case KindOctets, KindIPAddress, KindOpaque:
			b = appendOctets(b, v.Value.Bytes)
		case KindOID:
			b = appendOID(b, v.Value.OID, false)
		}
	}
	return b
}
