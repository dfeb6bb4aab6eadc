package uml

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// minShard is the number of tests for which another guest is worth its boot.
const minShard = 4

// runTests is Run for a test binary. A guest has one processor, so the tests are divided
// among as many guests as this machine has processors, two at most: the tests watch
// the clock, and a third guest would take time from the others.
func runTests() (int, error) {
	shards := divide(listTests(), min(2, runtime.NumCPU()))
	if len(shards) < 2 {
		return Run()
	}
	results := make([]result, len(shards))
	var guests sync.WaitGroup
	for i, shard := range shards {
		guests.Go(func() { results[i] = runShard(shard, i == 0) })
	}
	guests.Wait()
	status := 0
	for i := range results {
		r := &results[i]
		if err := r.print(); err != nil {
			return 0, err
		}
		status = max(status, r.status)
	}
	return status, nil
}

// result is what became of one guest, and what it wrote if that was kept.
type result struct {
	stdout, stderr bytes.Buffer
	status         int
	err            error
}

// print writes what was kept. It returns why the guest did not run to its end.
func (r *result) print() error {
	_, outErr := r.stdout.WriteTo(os.Stdout)
	_, errErr := r.stderr.WriteTo(os.Stderr)
	return errors.Join(r.err, outErr, errErr)
}

// runShard runs the named tests in a guest. Only one guest may write at once what
// it says: go test reads a stream of tests that follow each other.
func runShard(tests []string, live bool) (r result) {
	var stdout, stderr io.Writer = os.Stdout, os.Stderr
	if !live {
		stdout, stderr = &r.stdout, &r.stderr
	}
	args := append(slices.Clone(os.Args[1:]), "-test.run=^("+strings.Join(tests, "|")+")$")
	r.status, r.err = runGuest(args, stdout, stderr)
	return r
}

// listTests returns the names of the tests that this run is about, or none if they
// must stay together: a profile has one file, and a pattern may mean subtests.
func listTests() []string {
	pattern := value("test.run")
	for _, together := range []string{"test.bench", "test.fuzz", "test.list", "test.coverprofile", "test.cpuprofile", "test.trace"} {
		if value(together) != "" {
			return nil
		}
	}
	if strings.Contains(pattern, "/") || flag.Lookup("test.run") == nil {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	list := exec.Command(program, "-test.list", cmp.Or(pattern, "."))
	list.Env = append(os.Environ(), guestVariable+"=list")
	names, err := list.Output()
	if err != nil {
		return nil
	}
	skip, err := regexp.Compile(cmp.Or(value("test.skip"), "^$"))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(strings.Fields(string(names)), func(name string) bool {
		return strings.HasPrefix(name, "Benchmark") || skip.MatchString(name)
	})
}

// divide deals the tests out to n shards like cards. Tests of one file follow each
// other and take much the same time, so the shards take much the same time too.
func divide(tests []string, n int) [][]string {
	n = min(n, len(tests)/minShard)
	if n < 2 {
		return nil
	}
	shards := make([][]string, n)
	for i, test := range tests {
		shards[i%n] = append(shards[i%n], test)
	}
	return shards
}

func value(name string) string {
	f := flag.Lookup(name)
	if f == nil {
		return ""
	}
	return fmt.Sprint(f.Value)
}
