package conf

import (
	"crypto/sha256"
	"fmt"
	"net"

	"holdfast/vrrp"
)

// mac is "vrrp", "private", "interface" or an address.
var mac = textual(`"vrrp", "private", "interface" or a MAC address`, parseMAC, MAC.String)

func parseMAC(s string) (MAC, error) {
	switch s {
	case "vrrp":
		return MAC{Mode: MACVirtual}, nil
	case "private":
		return MAC{Mode: MACPrivate}, nil
	case "interface":
		return MAC{Mode: MACInterface}, nil
	}
	hw, err := net.ParseMAC(s)
	switch {
	case err != nil || len(hw) != 6:
		return MAC{}, fmt.Errorf(`must be "vrrp", "private", "interface" or an address like "02:00:00:00:00:51", not %s`, quoteShort(s))
	case hw[0]&1 != 0:
		return MAC{}, fmt.Errorf("%q is a multicast address: a device needs a unicast address", s)
	case [6]byte(hw) == [6]byte{}:
		return MAC{}, fmt.Errorf("%q is not a usable address", s)
	}
	return MAC{Mode: MACExplicit, Address: [6]byte(hw)}, nil
}

// String returns m as the configuration file writes it.
func (m MAC) String() string {
	switch m.Mode {
	case MACVirtual:
		return "vrrp"
	case MACPrivate:
		return "private"
	case MACInterface:
		return "interface"
	}
	return net.HardwareAddr(m.Address[:]).String()
}

// PrivateMAC returns the address of mac = "private": 02:HH:HH:HH:FF:VV, where
// VV is the VRID, FF the family (4 or 6) and HH:HH:HH a hash of family, VRID
// and the name of the instance. Directors compute the same address if they use
// the same name, whatever their interfaces are called. Two sites on one network
// that use the same VRID get different addresses if they use different names.
// The first octet makes it a locally administered unicast address (IEEE 802 §8.2).
func PrivateMAC(family vrrp.Family, vrid uint8, name string) [6]byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "holdfast private mac\n%v\n%d\n%s", family, vrid, name))
	return [6]byte{0x02, sum[0], sum[1], sum[2], byte(family), vrid}
}
