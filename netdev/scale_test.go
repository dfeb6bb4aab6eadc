package netdev

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"

	"golang.org/x/sys/unix"
)

// many returns n IPv4 addresses.
func many(n int) []Address {
	var all []Address
	for i := range n {
		ip := make([]byte, 4)
		binary.BigEndian.PutUint32(ip, 10<<24|1<<16|uint32(i+1))
		addr, _ := netip.AddrFromSlice(ip)
		all = append(all, Address{Prefix: netip.PrefixFrom(addr, 32)})
	}
	return all
}

func BenchmarkClaimAddresses(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := testns.NewPair(b)
			h := openHost(b, p.Director, b.TempDir())
			defer h.Close()
			s := spec4()
			s.Addresses = many(n)
			if _, err := h.Ensure(s); err != nil {
				b.Fatal(err)
			}
			var claim, quiet, release time.Duration
			for b.Loop() {
				t0 := time.Now()
				testns.Must(b, h.Claim(s.Name))
				t1 := time.Now()
				testns.Must(b, h.Mute(s.Name))
				t2 := time.Now()
				testns.Must(b, h.Release(s.Name))
				claim, quiet, release = claim+t1.Sub(t0), quiet+t2.Sub(t1), release+time.Since(t2)
			}
			perOp := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
			b.ReportMetric(perOp(claim), "claim-µs")
			b.ReportMetric(perOp(quiet), "quiet-µs")
			b.ReportMetric(perOp(release), "release-µs")
		})
	}
}

// manySpecs returns those of n devices with an address each.
func manySpecs(n int) (specs []Spec, names []string) {
	for i := range n {
		s := spec4()
		s.Name = fmt.Sprintf("vrrp4-%d", i+1)
		s.MAC[5] = byte(i + 1)
		s.Addresses = many(n)[i : i+1]
		specs, names = append(specs, s), append(names, s.Name)
	}
	return specs, names
}

// BenchmarkLook is what it costs to see that 250 devices are as they should be.
func BenchmarkLook(b *testing.B) {
	p := testns.NewPair(b)
	h := openHost(b, p.Director, b.TempDir())
	defer h.Close()
	specs, names := manySpecs(250)
	if _, err := h.Ensure(specs...); err != nil {
		b.Fatal(err)
	}
	testns.Must(b, h.Claim(names...))
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		if repairs, err := h.Reconcile(); err != nil || len(repairs) > 0 {
			b.Fatalf("%v, %v", repairs, err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// cpuTime is what this process has taken of the processors.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	testns.Must(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkManyDevices(b *testing.B) {
	p := testns.NewPair(b)
	h := openHost(b, p.Director, b.TempDir())
	defer h.Close()
	specs, names := manySpecs(250)
	took := map[string]time.Duration{}
	step := func(name string, f func() error) {
		start := time.Now()
		testns.Must(b, f())
		took[name] += time.Since(start)
	}
	for b.Loop() {
		step("ensure", func() error { _, err := h.Ensure(specs...); return err })
		step("claim", func() error { return h.Claim(names...) })
		step("reconcile", func() error { _, err := h.Reconcile(); return err })
		step("muted", func() error { return h.Mute(names...) })
		step("remove", func() error { return h.Remove(names...) })
	}
	for name, d := range took {
		b.ReportMetric(float64(d.Milliseconds())/float64(b.N), name+"-ms")
	}
}
