// Command demo shows the main job of holdfast: two directors between a router
// and two realservers, traffic through them; a realserver dies and returns, the
// MASTER dies and returns, and is stopped for maintenance. It prints what it did
// and what it saw. Its last line is one JSON object with what was measured, and
// its exit status is 1 if any of that is not as it should be.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/uml"
)

func main() { os.Exit(run()) }

func run() int {
	if err := lab.Build(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	if !uml.Ready() {
		fmt.Println("This kernel has no IPVS, or we are not root: booting User Mode Linux for the demo.")
		status, err := uml.Run()
		if err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
			return 1
		}
		return status
	}
	s := &story{begin: time.Now()}
	err := lab.Standalone("demo", func(line string) { s.show(line) }, s.tell)
	err = errors.Join(err, s.figures.verdict(err == nil))
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	line, jsonErr := json.Marshal(s.figures)
	if jsonErr != nil {
		fmt.Fprintln(os.Stderr, "demo:", jsonErr)
		return 1
	}
	fmt.Println(string(line))
	if err != nil {
		return 1
	}
	return 0
}

// figures are what the demo measures. Those that are -1 were not.
type figures struct {
	IntervalMS       float64 `json:"advert_interval_ms"`
	OutageMS         float64 `json:"outage_ms"`              // the MASTER dies
	FailbackOutageMS float64 `json:"failback_outage_ms"`     // it returns and preempts
	StopOutageMS     float64 `json:"stop_outage_ms"`         // it is stopped on purpose
	StopLost         int     `json:"stop_lost_probes"`       // likewise
	RouterChanges    int     `json:"router_mac_changes"`     // of the VIP, throughout
	ServerChanges    int     `json:"realserver_mac_changes"` // of the DIP, throughout
	Survived         bool    `json:"connection_survived"`    // through all of it
	Lines            int     `json:"connection_lines"`
	Removed          bool    `json:"checks_removed_dead_server"`
	RemovalMS        float64 `json:"removal_ms"` // from its death to the table without it
	Returned         bool    `json:"checks_returned_server"`
	FailedRequests   int     `json:"failed_requests"` // while everything was well
	BackupFrames     int     `json:"backup_frames_from_virtual_mac"`
	LeftBehind       bool    `json:"something_left_behind"` // after the clean stop
	StallMS          float64 `json:"longest_stall_ms"`      // for which the machine stood still
	Kernel           string  `json:"kernel"`
	UserModeLinux    bool    `json:"user_mode_linux"`
	Seconds          float64 `json:"seconds"`
	AsItShouldBe     bool    `json:"as_it_should_be"`
}

// verdict says what is not as it should be.
func (f *figures) verdict(toldWhole bool) error {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if toldWhole {
		// Three intervals, the skew, and some time for a slow kernel.
		must(f.OutageMS > 0 && f.OutageMS < 600+4*f.IntervalMS, "the outage took %.0f ms", f.OutageMS)
		must(f.FailbackOutageMS < 100, "the failback took %.0f ms", f.FailbackOutageMS)
		must(f.StopOutageMS < 100, "the planned stop took %.0f ms", f.StopOutageMS)
		must(f.RouterChanges == 0, "the router saw %d MAC changes", f.RouterChanges)
		must(f.ServerChanges == 0, "the realservers saw %d MAC changes", f.ServerChanges)
		must(f.Survived, "the connection did not survive")
		must(f.Removed, "the dead realserver was not removed")
		must(f.Returned, "the realserver did not return")
		must(f.FailedRequests == 0, "%d requests failed", f.FailedRequests)
		must(f.BackupFrames == 0, "the BACKUP sent %d frames from a virtual MAC", f.BackupFrames)
		must(!f.LeftBehind, "the clean stop left something behind")
	}
	f.AsItShouldBe = toldWhole && len(errs) == 0
	if len(errs) > 0 && f.StallMS > 2*f.IntervalMS {
		errs = append(errs, fmt.Errorf("the machine stood still for %.0f ms, which a director cannot tell from a dead MASTER; the demo needs a calmer one", f.StallMS))
	}
	return errors.Join(errs...)
}

// A story prints what happens, each line with the seconds since the begin.
type story struct {
	begin   time.Time
	figures figures
}

func (s *story) say(format string, args ...any) {
	fmt.Printf("%6.2f  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}

func (s *story) title(text string) { fmt.Printf("\n%s\n", text) }

// show prints what a program said.
func (s *story) show(text string) {
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Printf("        | %s\n", line)
	}
}

func (s *story) kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	s.figures.Kernel, s.figures.UserModeLinux = unix.ByteSliceToString(name.Release[:]), uml.Guest()
	if uml.Guest() {
		return s.figures.Kernel + " (User Mode Linux)"
	}
	return s.figures.Kernel
}
