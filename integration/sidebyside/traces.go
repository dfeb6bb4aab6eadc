package sidebyside

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/integration/lab"
)

// traces is what a program does to its host and says to others: lines by kind.
type traces map[string][]string

// An alike is a difference by design: what matches is written alike for both.
type alike struct {
	pattern *regexp.Regexp
	to      string
}

// designs are the differences that every configuration has.
var designs = []alike{
	// The device of a virtual MAC that the file does not name: vrrp.51 and vrrp4-51. The
	// adverts and the MAC are compared.
	{regexp.MustCompile(`\bvrrp(?:\.|4-)(\d+)\b`), "vmac-$1"},
	{regexp.MustCompile(`\bvrrp6-(\d+)\b|\bvrrp\.(\d+)\.6\b`), "vmac6-$1$2"},
}

// look records the traces. balancer: with those of IPVS.
func (s *side) look(t *testing.T, balancer bool) traces {
	t.Helper()
	v := traces{
		"devices":   s.devices(t),
		"addresses": s.addresses(t),
		"routes":    append(s.routes(t, "-4"), s.routes(t, "-6")...),
		"connected": s.connected(t),
		"rules":     append(s.rules(t, "-4"), s.rules(t, "-6")...),
		"adverts":   s.adverts(),
		"announced": s.announced(),
	}
	text, _ := os.ReadFile(s.dir + "/calls")
	v["calls"] = strings.Split(strings.TrimSpace(string(text)), "\n")
	if balancer {
		v["ipvs"] = s.table()
		v["sync"] = strings.Split(strings.TrimSpace(s.Run("ipvsadm", "-l", "--daemon")), "\n")
	}
	for kind, lines := range v {
		for i, line := range lines {
			for _, d := range designs {
				line = d.pattern.ReplaceAllString(line, d.to)
			}
			lines[i] = strings.Join(strings.Fields(line), " ")
		}
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
		slices.Sort(lines)
		v[kind] = lines
	}
	return v
}

// table is the table of IPVS.
func (s *side) table() []string {
	lines := strings.Split(strings.TrimSpace(s.Run("ipvsadm", "-Sn")), "\n")
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" })
}

// ask runs ip with JSON output.
func (s *side) ask(t *testing.T, args ...string) []map[string]any {
	t.Helper()
	var rows []map[string]any
	text := s.Run("ip", append([]string{"-j", "-d"}, args...)...)
	if err := json.Unmarshal([]byte(text), &rows); err != nil && strings.TrimSpace(text) != "" {
		t.Fatalf("ip %v: %v", args, err)
	}
	return rows
}

// devices are those that the program made, with their MAC addresses.
func (s *side) devices(t *testing.T) (lines []string) {
	for _, row := range s.ask(t, "link") {
		if info, ok := row["linkinfo"].(map[string]any); ok && info["info_kind"] == "macvlan" {
			flags := fmt.Sprint(row["flags"])
			lines = append(lines, fmt.Sprint(row["ifname"], " of ", row["link"], " ", row["address"], " up=", strings.Contains(flags, "UP")))
		}
	}
	return lines
}

func (s *side) addresses(t *testing.T) (lines []string) {
	for _, row := range s.ask(t, "address") {
		list, _ := row["addr_info"].([]any)
		for _, one := range list {
			a := one.(map[string]any)
			if a["scope"] == "link" && a["family"] == "inet6" {
				continue // the kernel's own, which tells nothing
			}
			line := fmt.Sprint(row["ifname"], " ", a["local"], "/", a["prefixlen"], " scope ", a["scope"])
			for _, word := range []string{"broadcast", "label", "address"} {
				if value, ok := a[word]; ok {
					line += fmt.Sprint(" ", word, " ", value)
				}
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// routes are those that somebody has added: not those of the table local, which follow
// from the addresses.
func (s *side) routes(t *testing.T, family string) (lines []string) {
	for _, row := range s.ask(t, family, "route", "show", "table", "all") {
		if table := row["table"]; table == "local" || row["protocol"] == "kernel" {
			continue
		}
		lines = append(lines, words(row, "type", "dst", "gateway", "via", "dev", "prefsrc", "table", "scope", "metric", "nexthops"))
	}
	return lines
}

// connected are the routes to subnets that the kernel adds with IPv4 addresses. holdfast
// adds an address without one where the interface reaches the subnet already: an address
// that moves is no source for the packets of the host itself. So what has another route
// around it is left out.
func (s *side) connected(t *testing.T) (lines []string) {
	var all []netip.Prefix
	rows := s.ask(t, "-4", "route", "show", "table", "main", "proto", "kernel")
	for _, row := range rows {
		if p, err := netip.ParsePrefix(fmt.Sprint(row["dst"])); err == nil {
			all = append(all, p)
		}
	}
	for _, row := range rows {
		p, err := netip.ParsePrefix(fmt.Sprint(row["dst"]))
		inner := err == nil && slices.ContainsFunc(all, func(o netip.Prefix) bool { return o.Bits() < p.Bits() && o.Contains(p.Addr()) })
		if !inner {
			lines = append(lines, words(row, "dst"))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines) // a virtual MAC has the subnet again
}

func (s *side) rules(t *testing.T, family string) (lines []string) {
	for _, row := range s.ask(t, family, "rule", "show") {
		lines = append(lines, family+" "+words(row, "src", "srclen", "dst", "dstlen", "fwmark", "iif", "oif", "table", "action"))
	}
	return lines
}

// words returns some members of an object, without those that it lacks.
func words(row map[string]any, names ...string) string {
	var line []string
	for _, name := range names {
		if value, ok := row[name]; ok {
			line = append(line, fmt.Sprint(name, " ", value))
		}
	}
	return strings.Join(line, " ")
}

const protocolVRRP = 112

// adverts are the last one of each virtual router, which has priority 0 after the stop:
// whole, but for the checksum, or for the sequence number and the value of an
// authentication header.
func (s *side) adverts() (lines []string) {
	for device, capture := range s.captures {
		last := map[string]string{}
		for _, frame := range capture.Frames(func(f lab.Frame) bool { return f.FromHost }) {
			a, ok := frame.Advert()
			if !ok {
				continue
			}
			body := bodyOf(frame.Bytes[14:])
			if body[0] == protocolVRRP { // in an authentication header, as what follows it
				clear(body[8:24])
			} else {
				clear(body[6:8])
			}
			router := fmt.Sprintf("%s vrid %d", device, a.VRID)
			if a.Source.Is6() {
				router += " of IPv6"
			}
			last[router] = fmt.Sprintf("%s from %v %v ttl %d to %v: %s", router, frame.Source(), a.Source, a.HopLimit, frame.Destination(), hex.EncodeToString(body))
		}
		lines = slices.AppendSeq(lines, maps.Values(last))
	}
	return lines
}

// bodyOf returns a copy of what an IP packet carries, without padding.
func bodyOf(ip []byte) []byte {
	const header6 = 40
	if ip[0]>>4 == 6 {
		return slices.Clone(ip[header6 : header6+int(ip[4])<<8+int(ip[5])])
	}
	return slices.Clone(ip[int(ip[0]&0xf)*4 : int(ip[2])<<8+int(ip[3])])
}

// announced are the addresses that were announced by gratuitous ARP and by unsolicited
// neighbour advertisements, with the MAC address and the device.
func (s *side) announced() (lines []string) {
	for device, capture := range s.captures {
		for _, frame := range capture.Frames(func(f lab.Frame) bool { return f.FromHost }) {
			if address, mac, ok := frame.Announcement(); ok {
				lines = append(lines, fmt.Sprintf("%s %v at %v from %v to %v", device, address, mac, frame.Source(), frame.Destination()))
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines) // how often differs
}
