package port

import "testing"

func FuzzParse6(f *testing.F) {
	f.Add([]byte("x"), make([]byte, 64))
	f.Fuzz(func(t *testing.T, packet, control []byte) {
		// The kernel's control messages are aligned, and so is a new slice.
		if p, ok := parse6(packet, [16]byte{}, append([]byte(nil), control...)); ok && !p.Destination.IsValid() {
			t.Error("no destination")
		}
	})
}
