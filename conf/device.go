package conf

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"holdfast/vrrp"
)

// nameDevices gives a name to each device that has none: "vrrp4-51" from
// family and VRID. When several instances have both in common, on different
// interfaces, the first in the file gets that name and the others add their
// interface's, so that appending an instance never renames a device in use.
func nameDevices(instances []Instance) {
	type router struct {
		family vrrp.Family
		vrid   uint8
	}
	taken := make(map[router]bool)
	for i := range instances {
		in := &instances[i]
		if in.Device != "" || in.MAC.Mode == MACInterface {
			continue
		}
		parent := ""
		if r := (router{in.Family, in.VRID}); taken[r] {
			parent = in.Interface
		} else {
			taken[r] = true
		}
		in.Device = deriveDevice(in.Family, in.VRID, parent)
	}
	devices := make(map[string]bool)
	for i := range instances {
		devices[instances[i].Device] = true
	}
	for i := range instances {
		if in := &instances[i]; in.MAC.Mode != MACInterface {
			in.nameExtra(devices)
		}
	}
}

// deriveDevice returns the name of a macvlan, with its parent's name in it
// unless that is "". A parent's name that does not fit, or has a dot, is
// replaced by its hash.
func deriveDevice(family vrrp.Family, vrid uint8, parent string) string {
	device := fmt.Sprintf("vrrp%d-%d", family, vrid)
	if parent == "" {
		return device
	}
	long := device + "-" + parent
	if len(long) <= maxInterfaceName && !strings.Contains(parent, ".") {
		return long
	}
	sum := sha256.Sum256([]byte(parent))
	return (device + "-" + fmt.Sprintf("%x", sum))[:maxInterfaceName]
}
