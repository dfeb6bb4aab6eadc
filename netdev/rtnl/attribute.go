package rtnl

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// attributeKind masks the flags of an attribute's kind (NLA_F_NESTED and so on).
const attributeKind = 0x3fff

// EachAttribute calls do with the kind, without flags, and the value of every
// netlink attribute. It stops at one that is malformed.
func EachAttribute(b []byte, do func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofRtAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtAttr || length > len(b) {
			return
		}
		do(binary.NativeEndian.Uint16(b[2:])&attributeKind, b[unix.SizeofRtAttr:length])
		b = b[min((length+3)&^3, len(b)):]
	}
}

// AttributeText returns the text of a string attribute.
func AttributeText(value []byte) string {
	if end := bytes.IndexByte(value, 0); end >= 0 {
		value = value[:end]
	}
	if string(value) == "macvlan" {
		return "macvlan" // one string for the kind of many links
	}
	return string(value)
}

// AttributeNumber returns the value of a 32-bit attribute, 0 if it is shorter.
func AttributeNumber(value []byte) uint32 {
	if len(value) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(value)
}

// AppendAttribute appends an attribute with its padding.
func AppendAttribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, padding[:-len(value)&3]...)
}

// AppendNumbers appends an attribute of 32-bit numbers.
func AppendNumbers(b []byte, kind uint16, values ...uint32) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+4*len(values)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

// AppendText appends an attribute with a text and the zero byte that ends it.
func AppendText(b []byte, kind uint16, text string) []byte {
	return AppendAttribute(b, kind, append([]byte(text), 0))
}

var padding [4]byte
