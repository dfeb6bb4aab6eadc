package probe

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// A Weigher is a Prober whose answers can say which weight the server should have.
type Weigher interface {
	Prober
	// ProbeWeight is Probe with what the answer says of the weight. nil means that
	// the answer says nothing of it; the weight then stays as an earlier answer made
	// it. With an error the weight is ignored.
	ProbeWeight(ctx context.Context) (*Weight, error)
}

// MaxWeight is the largest weight that a server can have.
const MaxWeight = 65535

// A WeightMode says what the number of a Weight means.
type WeightMode uint8

// The modes. The weights of several checks are applied in this order.
const (
	Absolute WeightMode = iota // the weight itself
	Percent                    // percent of the weight
	Delta                      // is added to the weight
)

// A Weight is what an answer says of the weight of the server.
type Weight struct {
	Mode WeightMode
	N    int
}

// Of returns the weight that a server has according to w instead of the weight
// before. Part of a percent counts as a whole, so that only 0% makes a weight 0.
func (w Weight) Of(before int) int {
	switch w.Mode {
	case Percent:
		n := int64(before) * int64(w.N)
		return int(min(max(0, (n+99)/100), MaxWeight))
	case Delta:
		return min(max(0, before+w.N), MaxWeight)
	}
	return min(max(0, w.N), MaxWeight)
}

// String returns "5" for Absolute, "50%" for Percent and "+5" or "-5" for Delta.
func (w Weight) String() string {
	switch w.Mode {
	case Percent:
		return strconv.Itoa(w.N) + "%"
	case Delta:
		return fmt.Sprintf("%+d", w.N)
	}
	return strconv.Itoa(w.N)
}

// ParseWeight returns the weight that String writes as text.
func ParseWeight(text string) (Weight, error) {
	var w Weight
	digits := text
	switch number, percent := strings.CutSuffix(text, "%"); {
	case percent:
		w.Mode, digits = Percent, number
	case strings.HasPrefix(text, "+"), strings.HasPrefix(text, "-"):
		w.Mode = Delta
	}
	n, err := strconv.Atoi(digits)
	if err != nil || w.Mode == Percent && n < 0 {
		return Weight{}, fmt.Errorf("%q is not a weight", text)
	}
	w.N = n
	return w, nil
}

// MarshalText returns the form of String.
func (w Weight) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText is ParseWeight.
func (w *Weight) UnmarshalText(text []byte) (err error) {
	*w, err = ParseWeight(string(text))
	return err
}
