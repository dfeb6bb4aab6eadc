package agentx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxPayload is the maximum length of a packet without its header, in bytes. The
// master agent's requests come from managers, and each fits into one UDP packet.
const MaxPayload = 1 << 18

// errShort means that a packet ends before the data that it announces.
var errShort = errors.New("the packet is too short")

// Read reads one packet. It returns errors of r unchanged. Any other error means
// that the rest of the stream cannot be decoded.
func Read(r io.Reader) (*Packet, error) {
	var header [headerLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n := order(header[2]).Uint32(header[16:])
	if n > MaxPayload {
		return nil, fmt.Errorf("a packet announces %d bytes, and at most %d are taken", n, MaxPayload)
	}
	b := make([]byte, headerLen+n)
	copy(b, header[:])
	if _, err := io.ReadFull(r, b[headerLen:]); err != nil {
		return nil, err
	}
	return Decode(b)
}

// Decode decodes a packet. It returns an error if b is not exactly one valid packet.
func Decode(b []byte) (*Packet, error) {
	if len(b) < headerLen {
		return nil, errShort
	}
	if b[0] != version {
		return nil, fmt.Errorf("AgentX version %d, want %d", b[0], version)
	}
	kind, flags := Type(b[1]), b[2]
	d := decoder{order: order(flags), rest: b[4:]}
	p := &Packet{Session: d.uint32(), Transaction: d.uint32(), Number: d.uint32()}
	if n := d.uint32(); int64(n) != int64(len(d.rest)) {
		return nil, fmt.Errorf("the packet announces %d bytes and has %d", n, len(d.rest))
	}
	if flags&flagContext != 0 && hasContext(kind) {
		p.Context = string(d.octets())
	}
	p.Body = d.body(kind)
	switch {
	case p.Body == nil:
		return nil, fmt.Errorf("packets of type %d are not known", kind)
	case d.err != nil:
		return nil, fmt.Errorf("packet of type %d: %w", kind, d.err)
	case len(d.rest) > 0:
		return nil, fmt.Errorf("packet of type %d: %d bytes too many", kind, len(d.rest))
	}
	return p, nil
}

func order(flags byte) binary.ByteOrder {
	if flags&flagNetworkOrder != 0 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// A decoder reads values from the front of rest. After an error it returns zeros.
type decoder struct {
	order binary.ByteOrder
	rest  []byte
	err   error
}

func (d *decoder) body(kind Type) Body {
	switch kind {
	case TypeOpen:
		o := &Open{Timeout: d.take(4)[0]}
		o.ID, _ = d.oid()
		o.Description = string(d.octets())
		return o
	case TypeClose:
		return &Close{Reason: Reason(d.take(4)[0])}
	case TypeRegister:
		b := d.take(4)
		r := &Register{Timeout: b[0], Priority: b[1]}
		r.Subtree, _ = d.oid()
		return r
	case TypeGet:
		return &Get{Ranges: d.ranges()}
	case TypeGetNext:
		return &GetNext{Ranges: d.ranges()}
	case TypeGetBulk:
		return &GetBulk{NonRepeaters: d.uint16(), MaxRepetitions: d.uint16(), Ranges: d.ranges()}
	case TypeTestSet:
		return &TestSet{Variables: d.variables()}
	case TypeCommitSet:
		return &CommitSet{}
	case TypeUndoSet:
		return &UndoSet{}
	case TypeCleanupSet:
		return &CleanupSet{}
	case TypeNotify:
		return &Notify{Variables: d.variables()}
	case TypePing:
		return &Ping{}
	case TypeResponse:
		return &Response{UpTime: d.uint32(), Error: Error(d.uint16()), Index: d.uint16(), Variables: d.variables()}
	}
	return nil
}

// take returns the next n bytes. n is at most eight.
func (d *decoder) take(n int) []byte {
	if len(d.rest) < n {
		d.fail(errShort)
		return make([]byte, 8)[:n]
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

func (d *decoder) uint16() uint16 { return d.order.Uint16(d.take(2)) }
func (d *decoder) uint32() uint32 { return d.order.Uint32(d.take(4)) }
func (d *decoder) uint64() uint64 { return d.order.Uint64(d.take(8)) }

func (d *decoder) oid() (o OID, include bool) {
	head := d.take(4)
	n, prefix := int(head[0]), uint32(head[1])
	include = head[2] != 0
	if len(d.rest) < 4*n {
		d.fail(errShort)
		return nil, false
	}
	if prefix != 0 {
		o = internet.Append(prefix)
	}
	for range n {
		o = append(o, d.uint32())
	}
	if len(o) > MaxSubIDs {
		d.fail(fmt.Errorf("an identifier has %d parts", len(o)))
		return nil, false
	}
	return o, include
}

func (d *decoder) octets() []byte {
	n := int64(d.uint32())
	padded := (n + 3) &^ 3
	if int64(len(d.rest)) < padded {
		d.fail(errShort)
		return nil
	}
	s := d.rest[:n:n]
	d.rest = d.rest[padded:]
	return s
}

func (d *decoder) ranges() []Range {
	var list []Range
	for len(d.rest) > 0 {
		var r Range
		r.Start, r.Include = d.oid()
		r.End, _ = d.oid()
		list = append(list, r)
	}
	return list
}

func (d *decoder) variables() []Variable {
	var list []Variable
	for len(d.rest) > 0 {
		v := Variable{Value: Value{Kind: Kind(d.uint16())}}
		d.uint16() // reserved
		v.Name, _ = d.oid()
		switch v.Value.Kind {
		case KindInteger, KindCounter32, KindGauge, KindTimeTicks:
			v.Value.Number = uint64(d.uint32())
		case KindCounter64:
			v.Value.Number = d.uint64()
		case KindOctets, KindIPAddress, KindOpaque:
			v.Value.Bytes = d.octets()
		case KindOID:
			v.Value.OID, _ = d.oid()
		case KindNull, KindNoSuchObject, KindNoSuchInstance, KindEndOfView:
		default:
			d.fail(fmt.Errorf("values of type %d are not known", v.Value.Kind))
		}
		list = append(list, v)
	}
	return list
}
