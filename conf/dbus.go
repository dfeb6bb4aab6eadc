package conf

import (
	"fmt"
	"strings"
)

// DBus is how the virtual routers are published on D-Bus.
type DBus struct {
	Enabled bool
	Bus     Bus
	Name    string // the well-known name of the service
}

// A Bus is SystemBus, or the address of a bus in the notation of D-Bus.
type Bus string

// SystemBus is the system bus of the machine.
const SystemBus Bus = "system"

// Socket returns the unix socket of the bus for net.Dial.
func (b Bus) Socket() string {
	if b == SystemBus {
		return "/run/dbus/system_bus_socket"
	}
	path, _ := strings.CutPrefix(string(b), "unix:path=")
	if name, ok := strings.CutPrefix(string(b), "unix:abstract="); ok {
		return "@" + name
	}
	return path
}

// maxSocketPath is the length of sun_path without the final zero (unix(7)).
const maxSocketPath = 107

var bus = textual("a bus", func(s string) (Bus, error) {
	b := Bus(s)
	path, isPath := strings.CutPrefix(s, "unix:path=")
	name, isAbstract := strings.CutPrefix(s, "unix:abstract=")
	switch {
	case b == SystemBus:
	case !isPath && !isAbstract, isPath && !strings.HasPrefix(path, "/"), isAbstract && name == "", strings.ContainsAny(s, ",;%\x00"):
		return "", fmt.Errorf(`must be "system" or like "unix:path=/run/dbus/system_bus_socket" or "unix:abstract=name", not %s`, quoteShort(s))
	case len(b.Socket()) > maxSocketPath:
		return "", fmt.Errorf("is too long: the path of a socket has at most %d characters", maxSocketPath)
	}
	return b, nil
}, func(b Bus) string { return string(b) })

// busName is a well-known name of D-Bus.
var busName = textual("a service's name on D-Bus", func(s string) (string, error) {
	const limit = 255
	parts := strings.Split(s, ".")
	good := len(parts) > 1 && len(s) <= limit
	for _, part := range parts {
		good = good && part != "" && (part[0] < '0' || part[0] > '9')
		for _, r := range part {
			good = good && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
		}
	}
	if !good {
		return "", fmt.Errorf("must be like %q, not %s", defaultBusName, quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

// defaultBusName is keepalived's.
const defaultBusName = "org.keepalived.Vrrp1"

func (d *DBus) visit(t *table) {
	field(t, "enabled", &d.Enabled, boolean, false)
	field(t, "bus", &d.Bus, bus, SystemBus)
	field(t, "name", &d.Name, busName, defaultBusName)
}
