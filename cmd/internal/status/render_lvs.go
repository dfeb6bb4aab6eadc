package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/lvs"
)

// serviceNote returns the parameters of a service that have no column in the table.
// It returns "" if all of them have their defaults.
func serviceNote(v *lvs.ServiceStatus) string {
	var parts []string
	if v.PersistSecs > 0 {
		parts = append(parts, fmt.Sprintf("persistence %v", time.Duration(v.PersistSecs)*time.Second))
		if v.PersistPrefix != 0 && v.PersistPrefix != 32 && v.PersistPrefix != 128 {
			parts = append(parts, fmt.Sprintf("by /%d", v.PersistPrefix))
		}
		if v.PersistEngine != "" {
			parts = append(parts, "engine "+v.PersistEngine)
		}
	}
	if v.OnePacket {
		parts = append(parts, "one packet")
	}
	return strings.Join(slices.Concat(parts, v.Flags), ", ")
}

// quorumNote says when the service is up, if that is not at the first server.
func quorumNote(v *lvs.ServiceStatus) string {
	if v.Quorum <= 1 || v.Foreign {
		return ""
	}
	text := fmt.Sprintf("%s: weight %d of a quorum of %d", v.Health, v.WeightUp, v.Quorum)
	if v.Hysteresis > 0 {
		text += fmt.Sprintf(" with a hysteresis of %d", v.Hysteresis)
	}
	return text
}

// OrderText says who has changed the weight of a server, and until when; "" if nobody
// has.
func OrderText(r *lvs.ServerStatus) string {
	var parts []string
	say := func(what string, o *lvs.Order) {
		text := what + " by " + o.By
		if !o.Until.IsZero() {
			text += " until " + o.Until.Format(time.DateTime)
		}
		parts = append(parts, text)
	}
	if r.File != "" {
		parts = append(parts, "drained by the maintenance file "+r.File)
	}
	if o := r.Override; o != nil {
		if o.Drained != nil {
			say("drained", o.Drained)
		}
		if o.Weight != nil {
			say(fmt.Sprintf("weight %d", o.Weight.Weight), &o.Weight.Order)
		}
	}
	return strings.Join(parts, ", ")
}

// serverNote does the same as serviceNote for a server.
func (s *Status) serverNote(r *lvs.ServerStatus) string {
	var parts []string
	if rest := r.FullAt.Sub(s.Now); rest > 0 && r.Health == lvs.Up.String() {
		parts = append(parts, "slow start for "+rest.Round(time.Second).String())
	}
	if r.Tunnel != "" && r.Tunnel != lvs.IPIP.String() {
		parts = append(parts, "tunnel "+r.Tunnel)
		if r.TunnelPort != 0 {
			parts = append(parts, fmt.Sprintf("port %d", r.TunnelPort))
		}
		if r.TunnelChecksum != "" {
			parts = append(parts, r.TunnelChecksum+" checksum")
		}
	}
	parts = append(parts, weightNote(r)...)
	if r.Upper > 0 {
		parts = append(parts, fmt.Sprintf("thresholds %d and %d", r.Upper, r.Lower))
	}
	return strings.Join(parts, ", ")
}

// weightNote says who made the weight other than configured.
func weightNote(r *lvs.ServerStatus) []string {
	var parts []string
	if text := OrderText(r); text != "" {
		parts = append(parts, text)
	}
	if r.WeightFrom == lvs.FromCheck {
		parts = append(parts, fmt.Sprintf("weight %d by the check %s", r.Effective, r.WeightBy))
	}
	return parts
}

// counters returns the cells of what was counted, and of the rates in both directions
// together. Without rates in the kernel these are "?", because they are not 0.
func counters(c *lvs.Counters, present bool) []string {
	cells := []string{count(c.Connections), count(c.BytesIn), count(c.BytesOut)}
	switch {
	case !present:
		return append(cells, "-", "-", "-")
	case c.Rates == nil:
		return append(cells, "?", "?", "?")
	}
	return append(cells, count(c.ConnectionRate), count(c.PacketInRate+c.PacketOutRate), count(c.ByteInRate+c.ByteOutRate))
}
