//go:build dbus

package dbus

import "strings"

const (
	standardXML = ` <interface name="org.freedesktop.DBus.Introspectable">
  <method name="Introspect"><arg type="s" direction="out"/></method>
 </interface>
 <interface name="org.freedesktop.DBus.Peer">
  <method name="Ping"/>
  <method name="GetMachineId"><arg type="s" direction="out"/></method>
 </interface>
`
	propertiesXML = ` <interface name="org.freedesktop.DBus.Properties">
  <method name="Get"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="v" direction="out"/></method>
  <method name="GetAll"><arg type="s" direction="in"/><arg type="a{sv}" direction="out"/></method>
  <method name="Set"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="v" direction="in"/></method>
  <signal name="PropertiesChanged"><arg type="s"/><arg type="a{sv}"/><arg type="as"/></signal>
 </interface>
`
	routerXML = propertiesXML + ` <interface name="org.keepalived.Vrrp1.Vrrp">
  <method name="PrintData"/>
  <method name="PrintStats"/>
  <method name="PrintStatsClear"/>
  <method name="ReloadConfig"/>
  <method name="SendGarp"/>
  <signal name="VrrpStarted"/>
  <signal name="VrrpReloaded"/>
  <signal name="VrrpStopped"/>
 </interface>
`
	memberXML = propertiesXML + ` <interface name="org.keepalived.Vrrp1.Instance">
  <method name="SendGarp"/>
  <signal name="VrrpStatusChange"><arg type="u"/></signal>
  <property name="Name" type="(s)" access="read"/>
  <property name="State" type="(us)" access="read"/>
 </interface>
`
)

// describe returns the introspection XML of a node. own is the XML of its
// interfaces, and below has the names of its child nodes.
func describe(own string, below []string) string {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN" ` +
		`"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">` + "\n<node>\n" + standardXML + own)
	for _, name := range below {
		b.WriteString(` <node name="` + name + "\"/>\n") // only letters, digits and _
	}
	b.WriteString("</node>\n")
	return b.String()
}
