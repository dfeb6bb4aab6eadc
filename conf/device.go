package conf

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"holdfast/vrrp"
)

// nameDevices names the devices that the file does not name, from family and
// VRID: "vrrp4-51". If several instances share family and VRID on different
// interfaces, the first one in the file gets that name, and the others append
// the name of their interface. So a new instance at the end of the file never
// renames a device in use.
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

// deriveDevice returns the name of a macvlan. A parent other than "" is appended;
// if its name is too long or contains a dot, its hash is appended instead.
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
