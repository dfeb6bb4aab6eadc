package doctor

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/vrrp/auth"
)

// clockFacts are what the kernel knows of its clock.
type clockFacts struct {
	Known        bool
	Synchronised bool
	Error        time.Duration // the largest error, by the kernel's estimate
}

func lookAtClock(context.Context, *Patient) (clockFacts, error) {
	var t unix.Timex // with Modes 0 nothing changes
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return clockFacts{}, fmt.Errorf("ask for the state of the clock: %w", err)
	}
	return clockFacts{true, state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, time.Duration(t.Maxerror) * time.Microsecond}, nil
}

func judgeClock(p *Patient, f clockFacts) []Finding {
	if !f.Known || f.Synchronised {
		return nil
	}
	one := Finding{
		Severity: Note, What: "the clock is not synchronised",
		Why:  "The times in the logs of the directors do not fit together. Failover itself does not depend on the clock.",
		Cure: "systemctl enable --now systemd-timesyncd (or chrony); timedatectl shows the state. In a container: on the host",
	}
	for i := range p.Config.VRRP {
		if in := &p.Config.VRRP[i]; in.Auth.Kind == auth.HMAC {
			one.Severity = Warning
			one.Why = fmt.Sprintf("The virtual router %s has adverts with an HMAC: a director whose clock jumps back may refuse adverts as repeated.", in.Name)
			break
		}
	}
	return []Finding{one}
}
