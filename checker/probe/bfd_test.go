package probe

import (
	"errors"
	"testing"
)

// oneSession is a BFD session.
type oneSession struct{ state error }

func (s oneSession) State(string) error                 { return s.state }
func (s oneSession) Watch(string, func()) (stop func()) { return func() {} }

func TestBFD(t *testing.T) {
	s := BFD{Session: "rs1"}
	for _, want := range []error{nil, errors.New("the neighbour is silent")} {
		if err := (&Tools{Sessions: oneSession{want}}).Prober(s, Target{}).Probe(t.Context()); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if err := new(Tools).Prober(s, Target{}).Probe(t.Context()); !IsInconclusive(err) {
		t.Errorf("without sessions: %v", err)
	}
}
