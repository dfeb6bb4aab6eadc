package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"holdfast/integration/lab"
)

// A heat measures one row in networks of its own.
type heat struct {
	row  *row
	lane int // rows with many rounds share them between lanes
	run  func(t lab.T, h *heat)
	// turn is held during a timed part. The contenders of one case alternate, so
	// that noise hits both.
	turn *sync.Mutex
	// lock guards the row, which lanes share.
	lock *sync.Mutex
}

// newHeat prepares a heat; nil if -only does not want its row.
func newHeat(o options, experiment, name string, interval time.Duration, c contender, run func(t lab.T, h *heat)) *heat {
	r := &row{Experiment: experiment, Case: name, Interval: interval.String(), Contender: c.name}
	if !o.only.MatchString(r.name()) {
		return nil
	}
	return &heat{row: r, run: run, turn: new(sync.Mutex), lock: new(sync.Mutex)}
}

// note writes figures into the row, and prints the progress.
func (h *heat) note(write func(r *row), format string, args ...any) {
	h.lock.Lock()
	defer h.lock.Unlock()
	write(h.row)
	h.log(fmt.Sprintf(format, args...))
}

func (h *heat) log(line string) {
	fmt.Fprintf(os.Stderr, "%s %s: %s\n", time.Now().Format("15:04:05"), h.row.name(), line)
}

// together runs heats at the same time and says which rows failed; nil heats
// are left out. A row that failed keeps what it has measured so far.
func together(heats ...*heat) []*row {
	var rows []*row
	var all sync.WaitGroup
	for _, h := range heats {
		if h == nil {
			continue
		}
		if h.lane == 0 {
			rows = append(rows, h.row)
		}
		all.Go(h.start)
	}
	all.Wait()
	return rows
}

func (h *heat) start() {
	h.log("begins")
	err := lab.Standalone(h.row.name(), h.log, func(t lab.T) { h.run(t, h) })
	if err == nil {
		return
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.row.Error != "" {
		err = errors.Join(errors.New(h.row.Error), err)
	}
	h.row.Error = err.Error()
	h.log("FAILED: " + h.row.Error)
}

// takeTurns makes the heats of one case wait for each other.
func takeTurns(heats ...*heat) []*heat {
	turn := new(sync.Mutex)
	for _, h := range heats {
		if h != nil {
			h.turn = turn
		}
	}
	return heats
}

// lanes share a row's rounds between several networks.
func lanes(h *heat, n int) []*heat {
	if h == nil {
		return nil
	}
	all := []*heat{h}
	for i := 1; i < n; i++ {
		other := *h
		other.lane = i
		all = append(all, &other)
	}
	return all
}
