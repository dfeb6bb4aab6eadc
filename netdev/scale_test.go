package netdev

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// many returns n IPv4 addresses.
func many(n int) []Address {
	var all []Address
	for i := range n {
		ip := make([]byte, 4)
		binary.BigEndian.PutUint32(ip, 10<<24|1<<16|uint32(i+1))
		addr, _ := netip.AddrFromSlice(ip)
		all = append(all, Address{netip.PrefixFrom(addr, 32)})
	}
	return all
}

func BenchmarkClaimAddresses(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := newPair(b)
			h := openHost(b, p.director, b.TempDir())
			defer h.Close()
			s := spec4()
			s.Addresses = many(n)
			if _, err := h.Ensure(s); err != nil {
				b.Fatal(err)
			}
			var claim, quiet, release time.Duration
			for b.Loop() {
				t0 := time.Now()
				must(b, h.Claim(s.Name))
				t1 := time.Now()
				must(b, h.Quiet(s.Name))
				t2 := time.Now()
				must(b, h.Release(s.Name))
				claim, quiet, release = claim+t1.Sub(t0), quiet+t2.Sub(t1), release+time.Since(t2)
			}
			perOp := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
			b.ReportMetric(perOp(claim), "claim-µs")
			b.ReportMetric(perOp(quiet), "quiet-µs")
			b.ReportMetric(perOp(release), "release-µs")
		})
	}
}

func BenchmarkManyDevices(b *testing.B) {
	const n = 250
	p := newPair(b)
	h := openHost(b, p.director, b.TempDir())
	defer h.Close()
	var specs []Spec
	var names []string
	for i := range n {
		s := spec4()
		s.Name = fmt.Sprintf("vrrp4-%d", i+1)
		s.MAC[5] = byte(i + 1)
		s.Addresses = many(n)[i : i+1]
		specs, names = append(specs, s), append(names, s.Name)
	}
	took := map[string]time.Duration{}
	step := func(name string, f func() error) {
		start := time.Now()
		must(b, f())
		took[name] += time.Since(start)
	}
	for b.Loop() {
		step("ensure", func() error { _, err := h.Ensure(specs...); return err })
		step("claim", func() error { return h.Claim(names...) })
		step("reconcile", func() error { _, err := h.Reconcile(); return err })
		step("quiet", func() error { return h.Quiet(names...) })
		step("remove", func() error { return h.Remove(names...) })
	}
	for name, d := range took {
		b.ReportMetric(float64(d.Milliseconds())/float64(b.N), name+"-ms")
	}
}
