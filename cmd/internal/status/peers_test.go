package status

import (
	"strings"
	"testing"
)

// The text shows that a peer has a different address list. The JSON shows this too.
func TestTextShowsAnotherAddressList(t *testing.T) {
	s := &Status{VRRP: []Instance{{Name: "a", State: "BACKUP"}}}
	const note = "3 adverts had another list of addresses than this configuration"
	if strings.Contains(s.Text(SectionVRRP), "another list") {
		t.Error("it is shown where none was heard")
	}
	s.VRRP[0].Counters.AddressMismatch = 3
	if text := s.Text(SectionVRRP); !strings.Contains(text, note) {
		t.Errorf("the text does not say it:\n%s", text)
	}
}
