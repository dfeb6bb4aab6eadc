package director

import (
	"encoding/json"
	"fmt"
	"time"

	"holdfast/cmd/internal/resource"
	"holdfast/cmd/internal/status"
	"holdfast/netdev/statefile"
)

// savedResources is the content of resources.json in the runtime directory: what runs,
// for the next run of the daemon.
type savedResources struct {
	At    time.Duration               `json:"at_ns"` // since boot
	Units map[string][]resource.Saved `json:"units"`
}

// keep writes what runs. If that fails it is a problem, and is tried again.
func (r *resources) keep() {
	if r.gone {
		return
	}
	before := r.unkept
	if r.unkept = r.write(); r.unkept != nil {
		time.AfterFunc(keepAgain, func() { r.post(r.keep) })
	}
	if r.unkept != nil || before != nil {
		r.problems(r.troubles())
	}
}

func (r *resources) write() error {
	s := savedResources{At: sinceBoot(), Units: map[string][]resource.Saved{}}
	for _, u := range r.units {
		list := u.chain.Save()
		for i := range list {
			job := u.jobs[list[i].Name]
			list[i].PID, list[i].Ticks, list[i].Deadline = job.PID, job.Ticks, job.Deadline
		}
		if len(list) > 0 {
			s.Units[u.name] = list
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return statefile.Replace(r.path, b)
}

// recall reads what a former run of this boot has left. Without an upgrade that run
// crashed: what it started may have ended since.
func (r *resources) recall(upgraded bool) savedResources {
	var s savedResources
	there, err := readFile(r.path, &s)
	if err != nil {
		r.log.Error("it is not known which resources run", "err", err)
	}
	if !there || err != nil || s.At > sinceBoot() {
		return savedResources{}
	}
	for _, list := range s.Units {
		for i := range list {
			list[i].Crashed = !upgraded
		}
	}
	return s
}

// forget removes the file: nothing runs any more.
func (r *resources) forget() error {
	r.gone = true
	return statefile.Remove(r.path)
}

// undecided is how long it may take, at least, until it is known who is MASTER after a
// crash. What the former run started goes on so long.
const undecided = 10 * time.Second

// adopt takes over what a former run has started.
func (r *resources) adopt() {
	for name, list := range r.saved.Units {
		u := r.units[name]
		for _, s := range list {
			if u == nil || !u.chain.Adopt(time.Now(), s) {
				r.log.Error("a resource that a former run started is not configured any more; it is left alone", "name", s.Name, "group", name)
				continue
			}
			u.known = u.master
			if s.PID != 0 {
				u.jobs[s.Name] = s
			}
		}
		if u != nil && !u.known {
			time.AfterFunc(undecided+r.electionTimeout(u), func() { r.post(func() { u.known = true; r.step(u) }) })
		}
	}
	r.saved = savedResources{}
}

// electionTimeout is how long the members of a unit wait, at most, for a MASTER.
func (r *resources) electionTimeout(u *unitResources) (longest time.Duration) {
	for i := range r.conf.VRRP {
		if in := &r.conf.VRRP[i]; in.Name == u.members[0] {
			longest = max(longest, in.PreemptDelay+8*in.Interval)
		}
	}
	return longest
}

// unkeptProblem says that the state file cannot be written.
func unkeptProblem(err error) status.Problem {
	return status.Problem{Kind: "journal", Name: "resources", Text: fmt.Sprintf("a start after a crash will not know which resources run: %v", err)}
}
