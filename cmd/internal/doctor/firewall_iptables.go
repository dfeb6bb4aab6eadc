package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

const kindLegacy = "iptables-legacy"

// legacyChains returns the chains of the legacy iptables, which nftables does not show.
func legacyChains(ctx context.Context) (chains []*fwChain, err error) {
	for _, family := range []struct {
		names, program string
		ipv6           bool
	}{{"/proc/net/ip_tables_names", "iptables", false}, {"/proc/net/ip6_tables_names", "ip6tables", true}} {
		// The kernel lists a table here once it was used: without any there are no rules.
		names, readErr := os.ReadFile(family.names)
		if readErr != nil || len(strings.Fields(string(names))) == 0 {
			continue
		}
		text, saveErr := saved(ctx, family.program)
		if saveErr != nil {
			err = errors.Join(err, fmt.Errorf("the kernel has tables of the legacy %s (%s): %w",
				family.program, strings.Join(strings.Fields(string(names)), ", "), saveErr))
			continue
		}
		chains = append(chains, parseSaved(text, family.ipv6)...)
	}
	return chains, err
}

// saved returns the output of iptables-legacy-save, or of iptables-save where that is not
// the program of nftables.
func saved(ctx context.Context, program string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	name := program + "-legacy-save"
	if _, err := exec.LookPath(name); err != nil {
		name = program + "-save"
		if version, _ := exec.CommandContext(ctx, name, "--version").Output(); strings.Contains(string(version), "nf_tables") {
			return "", fmt.Errorf("%s-legacy-save is not installed", program)
		}
	}
	out, err := exec.CommandContext(ctx, name).Output()
	if err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	return string(out), nil
}

// legacyHooks says where the built-in chains are asked.
var legacyHooks = map[string]fwHook{"INPUT": incoming, "PREROUTING": incoming, "OUTPUT": outgoing, "POSTROUTING": outgoing}

// parseSaved reads the format of iptables-save(8).
func parseSaved(text string, ipv6 bool) (chains []*fwChain) {
	family, table := "ip ", ""
	if ipv6 {
		family = "ip6 "
	}
	byName := map[string]*fwChain{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":"):
			words := strings.Fields(line[1:])
			if len(words) < 2 {
				continue
			}
			c := &fwChain{Kind: kindLegacy, Table: family + table, Name: words[0], Hook: legacyHooks[words[0]], Drop: words[1] == "DROP",
				fits: func(p *probePacket) bool { return p.IPv6 == ipv6 }}
			if words[1] == "-" {
				c.Hook = "" // a chain of the user
			}
			byName[table+" "+words[0]] = c
			chains = append(chains, c)
		case strings.HasPrefix(line, "-A "):
			words := splitWords(line)
			if len(words) < 2 {
				continue
			}
			if c := byName[table+" "+words[1]]; c != nil {
				c.Rules = append(c.Rules, legacyRule(line, words[2:]))
			}
		}
	}
	return chains
}

func tableOf(c *fwChain) string { _, name, _ := strings.Cut(c.Table, " "); return name }

// splitWords splits a line at spaces outside of double quotes.
func splitWords(line string) []string {
	var words []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// legacyRule reads the conditions and the target of a rule.
func legacyRule(line string, words []string) fwRule {
	does, target := onward, ""
	var conditions []func(*probePacket) answer
	negated := false
	for i := 0; i < len(words); i++ {
		option := words[i]
		var value string
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch option {
		case "!":
			negated = true
			continue
		case "-m":
		case "-j", "-g":
			does, target = legacyTarget(value)
			if option == "-g" {
				does = goes
			}
			i = len(words) // the rest belongs to the target
			continue
		case "--comment":
		default:
			condition, negate := legacyCondition(option, value), negated
			conditions = append(conditions, func(p *probePacket) answer {
				if negate {
					return condition(p).not()
				}
				return condition(p)
			})
		}
		negated = false
		if value != "" && !strings.HasPrefix(value, "-") {
			i++
		}
	}
	return fwRule{strings.TrimSpace(line), func(p *probePacket) (answer, outcome, string) {
		fit := yes
		for _, c := range conditions {
			fit = fit.and(c(p))
		}
		return fit, does, target
	}}
}

func legacyTarget(name string) (outcome, string) {
	switch name {
	case "ACCEPT":
		return accepts, ""
	case "DROP", "REJECT":
		return drops, ""
	case "RETURN":
		return returns, ""
	}
	if name == strings.ToUpper(name) && slices.Contains([]string{"LOG", "NFLOG", "MARK", "CONNMARK", "TOS", "DSCP", "CT", "NOTRACK", "TCPMSS", "TTL", "HL", "CLASSIFY", "CHECKSUM", "AUDIT", "SET"}, name) {
		return onward, ""
	}
	return jumps, name // a chain; what is no chain is obscure
}

// legacyCondition returns a condition. What it does not know may hold.
func legacyCondition(option, value string) func(*probePacket) answer {
	device := func(out bool) func(*probePacket) answer {
		return func(p *probePacket) answer {
			switch {
			case p.Out != out:
				return no
			case p.Device == "":
				return maybe
			}
			if prefix, wild := strings.CutSuffix(value, "+"); wild {
				return answerOf(strings.HasPrefix(p.Device, prefix))
			}
			return answerOf(p.Device == value)
		}
	}
	switch option {
	case "-p":
		return func(p *probePacket) answer { return answerOf(slices.Contains(protocolNames(p.Protocol), value)) }
	case "-i":
		return device(false)
	case "-o":
		return device(true)
	case "-s":
		return func(p *probePacket) answer { return within(p.Src, value) }
	case "-d":
		return func(p *probePacket) answer { return within(p.Dst, value) }
	case "--dport", "--dports":
		return func(p *probePacket) answer {
			return answerOf(slices.ContainsFunc(strings.Split(value, ","), p.hasPort))
		}
	case "--state", "--ctstate":
		return func(*probePacket) answer { return answerOf(slices.Contains(strings.Split(value, ","), "NEW")) }
	}
	return func(*probePacket) answer { return maybe }
}

// hasPort reports whether the destination port is in a range: "80" or "80:90".
func (p *probePacket) hasPort(text string) bool {
	low, high, isRange := strings.Cut(text, ":")
	if !isRange {
		high = low
	}
	from, e1 := strconv.ParseUint(low, 10, 16)
	to, e2 := strconv.ParseUint(high, 10, 16)
	return e1 == nil && e2 == nil && uint64(p.Port) >= from && uint64(p.Port) <= to
}

func protocolNames(protocol byte) []string {
	number := strconv.Itoa(int(protocol))
	name := map[byte]string{6: "tcp", 17: "udp", 51: "ah", 112: "vrrp", 132: "sctp"}[protocol]
	return []string{number, name, "all", "0"}
}

func within(a netip.Addr, text string) answer {
	if !a.IsValid() {
		return maybe
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		one, err := netip.ParseAddr(text)
		if err != nil {
			return maybe
		}
		p = netip.PrefixFrom(one, one.BitLen())
	}
	return answerOf(p.Contains(a))
}
