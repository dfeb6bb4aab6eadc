package netdev

import (
	"testing"

	"holdfast/netdev/internal/testns"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A dump of all families has addresses that are none of IPv4 or IPv6. They are
// no reason to see none at all.
func TestObserveOtherFamilies(t *testing.T) {
	const afMCTP = 45
	header := nl.NewIfAddrmsg(afMCTP)
	header.Index = 3
	body := append(header.Serialize(), nl.NewRtAttr(unix.IFA_LOCAL, []byte{8}).Serialize()...)
	o := &observation{addresses: map[int][]address{}}
	testns.Must(t, o.addAddress(body))
	if len(o.addresses) != 0 {
		t.Errorf("addresses %v", o.addresses)
	}
	body[0] = unix.AF_INET
	if o.addAddress(body) == nil {
		t.Error("an IPv4 address of one byte is none")
	}
}
