package main

import (
	"slices"
	"testing"
)

func TestProgramParts(t *testing.T) {
	const smaps = `00400000-00f0f000 r-xp 00000000 fe:00 42                         /usr/sbin/holdfast
Rss:                9788 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00f0f000-01a58000 r--p 00b0f000 fe:00 42                         /usr/sbin/holdfast
Anonymous:             0 kB
01a58000-01a5e000 r--p 01658000 fe:00 42                         /usr/sbin/holdfast
Anonymous:            24 kB
01a5e000-01b5e000 rw-p 0165e000 fe:00 42                         /usr/sbin/holdfast
Anonymous:             0 kB
7fd605de7000-7fd605f3d000 r-xp 00026000 fe:00 43                 /usr/lib/libc.so.6
Anonymous:             0 kB
7ffd1b9e7000-7ffd1b9e9000 r-xp 00000000 00:00 0                  [vdso]
Anonymous:             0 kB
`
	want := []memoryPart{{0x400000, 0xb0f000}, {0xf0f000, 0xb49000}}
	if got := programParts("/usr/sbin/holdfast", smaps); !slices.Equal(got, want) {
		t.Errorf("%#x, want %#x", got, want)
	}
	if got := programParts("", smaps); got != nil {
		t.Errorf("without a program: %#x", got)
	}
}
