package main

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestConstants(t *testing.T) {
	const smaps = `00400000-00e6d000 r-xp 00000000 fe:00 103                /usr/sbin/holdfast
Rss:                9104 kB
Anonymous:             0 kB
00e6d000-01909000 r--p 00a6d000 fe:00 103                /usr/sbin/holdfast
Anonymous:             4 kB
01909000-01a0e000 rw-p 01509000 fe:00 103                /usr/sbin/holdfast
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 fe:00 104        /usr/lib/libc.so.6
Anonymous:             0 kB
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0          [vdso]
Anonymous:             0 kB
`
	want := []addressRange{{0x400000, 0xe6d000}} // the second has a breakpoint, the third is written
	if got := constants(smaps, "/usr/sbin/holdfast"); !reflect.DeepEqual(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// The code that runs after its pages were dropped is the same code.
func TestUnmapBinary(t *testing.T) {
	before := fileRSS(t)
	unmapBinary()
	if after := fileRSS(t); after > before/2 {
		t.Errorf("%d KB of files are resident, before it were %d", after, before)
	}
}

func fileRSS(t *testing.T) (kB int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "RssFile:"); ok {
			kB, err := strconv.Atoi(strings.Fields(n)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kB
		}
	}
	t.Fatal("no RssFile in /proc/self/status")
	return 0
}
