// Package dbus shows virtual routers on D-Bus as keepalived does, for programs
// that were written for it: the same service name, object paths, interfaces,
// properties and signals.
//
// What takes part in D-Bus needs the build tag dbus: few want another way into
// the daemon, and its library. Without the tag New returns a Service that does
// nothing and says so in its status.
package dbus
