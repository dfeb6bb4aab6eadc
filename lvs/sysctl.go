package lvs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Sysctl is a setting of IPVS in a network namespace: the sysctl net.ipv4.vs.NAME
// (Documentation/networking/ipvs-sysctl.rst). Its values are numbers from Low to
// High, separated by a space if there are two.
type Sysctl struct {
	Name      string
	Low, High int
	Numbers   int // how many numbers the value has
}

// The bounds are those of the kernel (net/netfilter/ipvs/ip_vs_ctl.c). Where it has
// none, they are the values that have a meaning.
var sysctls = []Sysctl{
	{"conntrack", 0, 1, 1},
	{"conn_reuse_mode", 0, 3, 1},
	{"expire_nodest_conn", 0, 1, 1},
	{"expire_quiescent_template", 0, 1, 1},
	{"sloppy_tcp", 0, 1, 1},
	{"sloppy_sctp", 0, 1, 1},
	{"sync_refresh_period", 0, 86400, 1},
	{"sync_threshold", 0, 1 << 20, 2}, // its default depends on the one before
	{"sync_retries", 0, 3, 1},
	{"sync_ports", 1, 64, 1},
	{"conn_lfactor", -8, 8, 1},
	{"svc_lfactor", -8, 8, 1},
}

// ErrNoSysctl is wrapped by the error for a sysctl that the kernel does not have.
var ErrNoSysctl = errors.New("this kernel does not have it")

// Sysctls returns the settings that a configuration can have.
func Sysctls() []Sysctl { return slices.Clone(sysctls) }

// Parse returns the value of text in the form in which equal values compare equal,
// or says what is wrong with it.
func (s Sysctl) Parse(text string) (string, error) {
	words := strings.Fields(text)
	if len(words) != s.Numbers {
		return "", fmt.Errorf("must be %s, not %s", s.describe(), quoteText(text))
	}
	numbers := make([]int, len(words))
	for i, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < s.Low || n > s.High {
			return "", fmt.Errorf("must be %s, not %s", s.describe(), quoteText(text))
		}
		numbers[i] = n
	}
	// net/netfilter/ipvs/ip_vs_ctl.c, proc_do_sync_threshold
	if s.Numbers == 2 && numbers[1] != 0 && numbers[0] >= numbers[1] {
		return "", fmt.Errorf("must have a first number below the second, not %q", text)
	}
	return strings.Join(words, " "), nil
}

// quoteText quotes a text that is not a number.
func quoteText(text string) string {
	if _, err := strconv.Atoi(text); err == nil {
		return text
	}
	return strconv.Quote(text)
}

func (s Sysctl) describe() string {
	if s.Numbers == 2 {
		return fmt.Sprintf("two numbers from %d to %d", s.Low, s.High)
	}
	return fmt.Sprintf("a number from %d to %d", s.Low, s.High)
}
