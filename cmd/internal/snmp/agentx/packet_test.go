package agentx

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// column is vrrpv3OperationsMasterIpAddr, of which row is an instance.
var (
	column  = OID{1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 3}
	row     = column.Append(2, 51, 1)
	behind  = OID{1, 3, 6, 1, 2, 1, 208}
	trapOID = OID{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}
)

// wire are packets as they went between us and snmpd 5.9.3, with what they say.
// Those of ours are what Append makes.
var wire = []struct {
	name, header, payload string
	ours                  bool
	packet                Packet
}{
	{"open", "01011000 00000000 00000000 00000001 00000014", "05000000 00000000 00000008 686f6c6466617374", true,
		Packet{Number: 1, Body: &Open{Timeout: 5, Description: "holdfast"}}},
	{"opened", "01121000 00000006 00000000 00000001 00000024",
		"0000006b 0000 0000 00040000 02000000 00000000 00000000 00000008 686f6c6466617374", false,
		Packet{Session: 6, Number: 1, Body: &Response{UpTime: 0x6b, Variables: []Variable{
			{Name: OID{0, 0}, Value: Octets([]byte("holdfast"))},
		}}}},
	{"register", "01031000 00000006 00000000 00000002 00000010", "007f0000 02020000 00000001 000000cf", true,
		Packet{Session: 6, Number: 2, Body: &Register{Priority: 127, Subtree: OID{1, 3, 6, 1, 2, 1, 207}}}},
	{"notify", "010c1000 00000006 00000000 00000003 0000006c",
		"00060000 06060000 00000003 00000001 00000001 00000004 00000001 00000000" +
			"04020000 00000001 000000cf 00000000 00000001" +
			"00040000 0a020000 00000001 000000cf 00000001 00000001 00000001 00000001 00000003 00000002 00000033 00000001 00000004 0a000002", true,
		Packet{Session: 6, Number: 3, Body: &Notify{Variables: []Variable{
			{Name: trapOID, Value: Identifier(OID{1, 3, 6, 1, 2, 1, 207, 0, 1})},
			{Name: row, Value: Octets([]byte{10, 0, 0, 2})},
		}}}},
	{"get", "01051000 00000006 00000009 0000000a 00000030",
		"0a020000 00000001 000000cf 00000001 00000001 00000001 00000001 00000003 00000002 00000033 00000001 00000000", false,
		Packet{Session: 6, Transaction: 9, Number: 10, Body: &Get{Ranges: []Range{{Start: row}}}}},
	{"get next", "01061000 00000006 00000003 00000004 0000002c",
		"07020000 00000001 000000cf 00000001 00000001 00000001 00000001 00000003 02020000 00000001 000000d0", false,
		Packet{Session: 6, Transaction: 3, Number: 4, Body: &GetNext{Ranges: []Range{{Start: column, End: behind}}}}},
	{"a string with filling", "01121000 00000006 0000000b 0000000e 00000044",
		"00000000 0000 0000 00040000 0a020000 00000001 000000cf 00000001 00000001 00000001 00000001 00000003 00000002 00000033 00000001" +
			"00000006 00005e000133 0000", true,
		Packet{Session: 6, Transaction: 11, Number: 14, Body: &Response{Variables: []Variable{
			{Name: row, Value: Octets([]byte{0, 0, 0x5e, 0, 1, 0x33})},
		}}}},
	{"test set", "01081000 00000006 00000016 00000017 00000034",
		"00420000 0a020000 00000001 000000cf 00000001 00000001 00000001 00000001 00000003 00000002 00000033 00000001 00000003", false,
		Packet{Session: 6, Transaction: 22, Number: 23, Body: &TestSet{Variables: []Variable{{Name: row, Value: Gauge(3)}}}}},
	{"not writable", "01121000 00000006 00000016 00000017 00000008", "00000000 0011 0001", true,
		Packet{Session: 6, Transaction: 22, Number: 23, Body: &Response{Error: ErrNotWritable, Index: 1}}},
	{"clean up", "010b1000 00000006 00000016 00000018 00000000", "", false,
		Packet{Session: 6, Transaction: 22, Number: 24, Body: &CleanupSet{}}},
	{"close", "01021000 00000006 00000000 00000004 00000004", "05000000", true,
		Packet{Session: 6, Number: 4, Body: &Close{Reason: ReasonShutdown}}},
}

func TestWire(t *testing.T) {
	for _, c := range wire {
		b := bytesOf(t, c.header+c.payload)
		got, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(&c.packet, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if made := c.packet.Append(nil); c.ours && !bytes.Equal(made, b) {
			t.Errorf("%s: made\n% x, want\n% x", c.name, made, b)
		}
	}
}

// The sender chooses the byte order (RFC 2741 §6.1).
func TestLittleEndian(t *testing.T) {
	b := bytesOf(t, "01060000 06000000 03000000 04000000 18000000"+"02020100 01000000 cf000000 01020000 d0000000 00000000")
	b = b[:headerLen+20]
	b[16] = 20
	want := Packet{Session: 6, Transaction: 3, Number: 4, Body: &GetNext{Ranges: []Range{
		{Start: OID{1, 3, 6, 1, 2, 1, 207}, Include: true, End: OID{1, 3, 6, 1, 2, 208}},
	}}}
	got, err := Decode(b)
	if diff := cmp.Diff(&want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestContext(t *testing.T) {
	p := Packet{Context: "other", Body: &GetBulk{NonRepeaters: 1, MaxRepetitions: 10, Ranges: []Range{{Start: column}, {Start: row, Include: true, End: behind}}}}
	got, err := Decode(p.Append(nil))
	if diff := cmp.Diff(&p, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// Every kind of value is the same after encoding and decoding.
func TestValues(t *testing.T) {
	var all []Variable
	for _, v := range []Value{
		Integer(-1), Integer(7), Gauge(1 << 31), Counter32(1<<32 - 1), Counter64(1<<64 - 1), TimeTicks(9), Octets([]byte("a")), Octets([]byte("abcd")),
		Identifier(row), NoSuchObject, NoSuchInstance, EndOfView, {Kind: KindNull}, {Kind: KindIPAddress, Bytes: []byte{10, 0, 0, 1}}, {Kind: KindOpaque, Bytes: []byte{1}},
	} {
		all = append(all, Variable{Name: row, Value: v})
	}
	want := Packet{Body: &Notify{Variables: all}}
	got, err := Decode(want.Append(nil))
	if diff := cmp.Diff(&want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestMalformed(t *testing.T) {
	const header = "01051000 00000000 00000000 00000000 "
	for name, text := range map[string]string{
		"short header":                 "0105",
		"version":                      "02051000 00000000 00000000 00000000 00000000",
		"type":                         "01131000 00000000 00000000 00000000 00000000",
		"payload longer than it says":  header + "00000000 00000000",
		"payload shorter than it says": header + "00000008 00000000",
		"identifier cut off":           header + "00000008 05000000 00000001",
		"identifier too long":          header + "00000200 ff000000" + strings.Repeat("00000001", 127),
		"second bound missing":         header + "00000008 01000000 00000001",
		"string longer than all":       "01011000 00000000 00000000 00000000 0000000c 00000000 00000000 fffffffd",
		"string without filling":       "01011000 00000000 00000000 00000000 0000000d 00000000 00000000 00000001 61",
		"kind of value":                "01081000 00000000 00000000 00000000 00000008 00010000 00000000",
		"more than a close needs":      "01021000 00000000 00000000 00000000 00000008 05000000 00000000",
		"bulk without numbers":         "01071000 00000000 00000000 00000000 00000000",
	} {
		if p, err := Decode(bytesOf(t, text)); err == nil {
			t.Errorf("%s: taken as %+v", name, p.Body)
		}
	}
}

// Read checks the length before it allocates memory.
func TestReadBounds(t *testing.T) {
	huge := bytesOf(t, "01051000 00000000 00000000 00000000 ffffffff")
	if _, err := Read(bytes.NewReader(huge)); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a packet of 4 GiB: %v", err)
	}
	cut := wire[0].packet.Append(nil)
	if _, err := Read(bytes.NewReader(cut[:len(cut)-1])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a packet that is cut off: %v", err)
	}
	if _, err := Read(bytes.NewReader(nil)); err != io.EOF {
		t.Errorf("the end of the stream: %v", err)
	}
}

func TestOIDOrder(t *testing.T) {
	for _, c := range []struct {
		a, b OID
		want int
	}{
		{OID{1, 3}, OID{1, 3}, 0},
		{OID{1, 3}, OID{1, 3, 0}, -1},
		{OID{1, 3, 2}, OID{1, 3, 10}, -1}, // by number, not by text
		{OID{1, 4}, OID{1, 3, 6}, 1},
		{nil, OID{0}, -1},
	} {
		if got := c.a.Compare(c.b); got != c.want {
			t.Errorf("%v and %v: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if !row.Under(column) || column.Under(row) || !column.Under(column) || (OID{1, 3, 7}).Under(OID{1, 3, 6}) {
		t.Error("what is under what is wrong")
	}
}

// A decoded packet is the same after it is encoded and decoded again. Nothing panics.
func FuzzDecode(f *testing.F) {
	for _, c := range wire {
		f.Add(bytesOf(f, c.header+c.payload))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(p.Append(nil))
		if diff := cmp.Diff(p, again); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}
