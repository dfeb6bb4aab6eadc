package checker

import (
	"bufio"
	"context"
	"fmt"
	"holdfast/checker/probe"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serverEnv makes the test binary a server for the benchmark: in a process of
// its own, so that its CPU time is not taken for the checker's.
const serverEnv = "CHECKER_BENCH_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		benchServer()
		return
	}
	os.Exit(m.Run())
}

// benchServer accepts connections until its standard input ends, and answers
// what looks like a request.
func benchServer() {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	go acceptAll(l, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\nServer: bench\r\nContent-Type: text/plain\r\n\r\nok\n")
	})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func startBenchServer(b *testing.B) uint16 {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	port, err := strconv.ParseUint(strings.TrimSpace(line), 10, 16)
	if err != nil {
		b.Fatal(err)
	}
	return uint16(port)
}

// BenchmarkSet runs 5000 checks at 1 s for 5 s and reports the CPU time of this
// process for each, kernel included. Run it with -benchtime=1x.
func BenchmarkSet(b *testing.B) {
	const servers, period = 5000, 5 * time.Second
	for _, kind := range []string{"tcp", "http"} {
		b.Run(kind, func(b *testing.B) {
			port := startBenchServer(b)
			configs := make([]Config, servers)
			for i := range configs {
				c := Default(probe.Default(kind))
				c.ID = fmt.Sprintf("bench/%d", i)
				c.Interval = time.Second
				c.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(1 + i%250)}), port)
				configs[i] = c
			}
			for b.Loop() {
				s := New(Options{})
				if err := s.Apply(configs); err != nil {
					b.Fatal(err)
				}
				time.Sleep(time.Second)
				before, cpu := totals(s), cpuTime(b)
				time.Sleep(period)
				after, used := totals(s), cpuTime(b)-cpu
				var late time.Duration
				for _, st := range s.Status() {
					late = max(late, st.MaxLate)
				}
				s.Close()
				n := after.Attempts - before.Attempts
				b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-us/check")
				b.ReportMetric(float64(n)/period.Seconds(), "checks/s")
				b.ReportMetric(float64(after.Failures+after.Inconclusive), "failures")
				b.ReportMetric(float64(late.Microseconds())/1000, "max-late-ms")
			}
		})
	}
}

func totals(s *Set) (sum Counts) {
	for _, st := range s.Status() {
		sum.Attempts += st.Counts.Attempts
		sum.Failures += st.Counts.Failures
		sum.Inconclusive += st.Counts.Inconclusive
	}
	return sum
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkApply changes one of 5000 checks.
func BenchmarkApply(b *testing.B) {
	configs := make([]Config, 5000)
	for i := range configs {
		c := Default(probe.Default("http"))
		c.ID = fmt.Sprintf("bench/%d", i)
		c.Interval = time.Hour
		c.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(1 + i%250)}), 1)
		configs[i] = c
	}
	s := New(Options{NewProber: func(Config) probe.Prober { return probe.ProberFunc(func(context.Context) error { return nil }) }})
	defer s.Close()
	n := 0
	for b.Loop() {
		n++
		configs[2500].Timeout = time.Second + time.Duration(n)
		if err := s.Apply(configs); err != nil {
			b.Fatal(err)
		}
	}
}
