// Package dbus presents virtual routers on D-Bus for programs written for
// keepalived. It uses the same service name, object paths, interfaces, properties
// and signals as keepalived.
//
// D-Bus support needs the build tag dbus, because few users want the library and
// another way to control the daemon. Without the tag, New returns a Service that
// does nothing, and its status says so.
package dbus
