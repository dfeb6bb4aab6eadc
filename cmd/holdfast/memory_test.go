package main

import "testing"

func TestCodeOf(t *testing.T) {
	const program = "/usr/sbin/holdfast"
	for line, want := range map[string]uintptr{
		"00400000-00f0f000 r-xp 00000000 fe:00 42                         /usr/sbin/holdfast\n": 0xb0f000,
		"00f0f000-01a58000 r--p 00b0f000 fe:00 42                         /usr/sbin/holdfast\n": 0,
		"01a58000-01b5e000 rw-p 01658000 fe:00 42                         /usr/sbin/holdfast\n": 0,
		"7fd605de7000-7fd605f3d000 r-xp 00026000 fe:00 43                 /usr/lib/libc.so.6\n": 0,
		"7ffd1b9e7000-7ffd1b9e9000 r-xp 00000000 00:00 0                  [vdso]\n":             0,
		"": 0,
	} {
		from, size, ok := codeOf(program, line)
		if ok != (want > 0) || ok && (size != want || from != 0x400000) {
			t.Errorf("%q: %#x from %#x, %v", line, size, from, ok)
		}
	}
	if _, _, ok := codeOf("", "00400000-00f0f000 r-xp 00000000 fe:00 42 \n"); ok {
		t.Error("without a program, there is code")
	}
}
