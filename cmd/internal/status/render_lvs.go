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

// serverNote does the same as serviceNote for a server.
func serverNote(r *lvs.ServerStatus) string {
	var parts []string
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
	switch {
	case r.WeightFrom == lvs.FromCheck:
		return []string{fmt.Sprintf("weight %d by the check %s", r.Effective, r.WeightBy)}
	case r.WeightFrom == lvs.FromOperator && !r.Drained:
		return []string{fmt.Sprintf("weight %d by an operator", r.Effective)}
	}
	return nil
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
