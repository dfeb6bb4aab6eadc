package heartbeat

import (
	"io/fs"
	"slices"
	"strings"

	"holdfast/conf/convert"
)

// plugins are heartbeat's STONITH plugins, with the names of the parameters that
// stonith_host gives in this order; the last takes the rest of the line, spaces included.
var plugins = map[string][]string{
	"apcmaster":     {"ipaddr", "login", "password"},
	"apcmastersnmp": {"ipaddr", "port", "community"},
	"apcsmart":      {"ttydev", "hostlist"},
	"baytech":       {"ipaddr", "login", "password"},
	"cyclades":      {"ipaddr", "login", "serialport"},
	"drac3":         {"ipaddr", "login", "password"},
	"ipmilan":       {"hostname", "ipaddr", "port", "auth", "priv", "login", "password", "reset_method"},
	"meatware":      {"hostlist"},
	"null":          {"hostlist"},
	"nw_rpc100s":    {"ttydev", "hostlist"},
	"rcd_serial":    {"hostlist", "ttydev", "dtr_rts", "msduration"},
	"rps10":         {"serial_to_targets"},
	"ssh":           {"hostlist"},
	"wti_mpc":       {"ipaddr", "port", "community"},
	"wti_nps":       {"ipaddr", "password"},
	// The external plugins of cluster-glue 1.0.12, as each says itself (getconfignames).
	"external/drac5":         {"hostname", "ipaddr", "userid"},
	"external/dracmc-telnet": {"nodename", "cyclades_ip", "cyclades_port", "servername", "username", "password"},
	"external/hetzner":       {"hostname", "remote_ip"},
	"external/hmchttp":       {"hostlist", "hmc_ipaddr", "user", "password"},
	"external/ibmrsa":        {"hostname", "ipaddr", "userid", "passwd", "type"},
	"external/ibmrsa-telnet": {"nodename", "ip_address", "username", "password"},
	"external/ipmi":          {"hostname", "ipaddr", "userid", "passwd", "interface"},
	"external/ippower9258":   {"deviceip", "username", "password", "hostlist"},
	"external/kdumpcheck":    {"hostlist", "identity_file"},
	"external/libvirt":       {"hostlist", "hypervisor_uri", "reboot_method"},
	"external/nut":           {"hostname", "ups", "username", "password", "poweron", "poweroff", "reset", "statusvar", "upscmd", "upsc"},
	"external/rackpdu":       {"hostlist", "pduip", "community"},
	"external/riloe":         {"hostlist", "ilo_hostname", "ilo_user", "ilo_password", "ilo_can_reset", "ilo_protocol", "ilo_powerdown_method", "ilo_proxyhost", "ilo_proxyport"},
	"external/ssh":           {"hostlist"},
	"external/vcenter":       {"VI_SERVER", "VI_PORTNUMBER", "VI_PROTOCOL", "VI_SERVICEPATH", "VI_CREDSTORE", "HOSTLIST", "RESETPOWERON"},
	"external/vmware":        {"device_host"},
	"external/xen0":          {"hostlist", "dom0"},
	"external/xen0-ha":       {"hostlist", "dom0_cluster_ip", "timeout"},
}

// isSecret reports whether a parameter of a plugin is a secret.
func isSecret(name string) bool {
	return strings.HasSuffix(name, "password") || name == "passwd" || name == "community"
}

// fenceAgents are the fence agents for devices whose plugins would show a password in the
// list of processes.
var fenceAgents = map[string]string{
	"apcmaster": "fence_apc", "apcmastersnmp": "fence_apc_snmp", "drac3": "fence_drac", "ipmilan": "fence_ipmilan", "wti_nps": "fence_wti",
}

const unnamedStonith = "write [vrrp.fence] with stonith, params, secrets and node; stonith -t TYPE -n lists the names of the parameters"

// fence writes [vrrp.fence] from the stonith_host of this node.
func (c *converter) fence(t *convert.Table) {
	l, ok := c.stonith()
	if !ok {
		return
	}
	plugin, values := l.words[2], l.words[3:]
	names, known := plugins[plugin]
	others := slices.DeleteFunc(slices.Clone(c.cluster.nodes), func(node string) bool { return node == c.self })
	switch {
	case !known:
		c.once(l.at, true, "stonith_host: %s", unnamedStonith)
	case slices.ContainsFunc(names, isSecret) && !strings.HasPrefix(plugin, "external/"):
		c.once(l.at, true, "stonith_host: the list of processes shows the password of the plugin %s: write [vrrp.fence] with %s",
			plugin, secretFence(plugin))
	case len(values) < len(names):
		c.once(l.at, true, "stonith_host: %s takes %s", plugin, strings.Join(names, ", "))
	case len(others) != 1:
		c.once(l.at, true, "stonith_host: name the other nodes by the addresses of their adverts: [vrrp.fence] with stonith, params and nodes")
	default:
		c.writeFence(t, l, names, values, others[0])
	}
}

// secretFence says what fences with a secret that stays in a file.
func secretFence(plugin string) string {
	if agent := fenceAgents[plugin]; agent != "" {
		return "agent = \"" + agent + "\", its params and secrets"
	}
	return "a fence agent for the device and its secrets, or a command"
}

// stonithFile reads the file of a line "stonith TYPE FILE", which has the parameters that
// stonith_host has on its line. It is for every node.
func (c *converter) stonithFile(l line) {
	if len(l.words) < 3 {
		c.report.Person(l.at, "stonith: a plugin and a file are needed")
		return
	}
	file := l.words[2]
	content, err := []byte(nil), fs.ErrNotExist
	if c.in.Read != nil {
		content, err = c.in.Read(file)
	}
	if err != nil {
		c.report.Person(l.at, "stonith: the parameters are in %s, which cannot be read here (%v): run convert where it is, or %s", file, err, unnamedStonith)
		return
	}
	for i, text := range strings.Split(string(content), "\n") {
		if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		at := convert.Position{File: file, Line: i + 1}
		c.cluster.stonith = append(c.cluster.stonith, line{at: at, words: append([]string{"stonith_host", "*", l.words[1]}, strings.Fields(text)...)})
		return // the plugins read the first line
	}
	c.report.Person(l.at, "stonith: %s has no parameters", file)
}

func (c *converter) writeFence(t *convert.Table, l line, names, values []string, node string) {
	var params, secrets convert.Inline
	for i, name := range names {
		value := values[i]
		if i == len(names)-1 {
			value = strings.Join(values[i:], " ")
		}
		if isSecret(name) {
			secrets = append(secrets, convert.Pair{Key: name, Value: c.draft.Secret(c.in.Dir, "fence", "secret", value)})
		} else {
			params = append(params, convert.Pair{Key: name, Value: value})
		}
	}
	f := t.Sub("fence", l.at)
	f.Set(l.at, "stonith", l.words[2])
	f.Set(l.at, "params", params)
	if len(secrets) > 0 {
		f.Set(l.at, "secrets", secrets)
	}
	f.Set(l.at, "action", "reboot")
	f.Set(l.at, "node", node)
	c.once(l.at, false, "heartbeat resets a node before it takes over, and tries that again until it has succeeded: action = \"reboot\"; holdfast asks the plugin first whether it has the node")
}

// stonith returns the stonith_host that counts on this node.
func (c *converter) stonith() (chosen line, ok bool) {
	for _, l := range c.cluster.stonith {
		switch {
		case len(l.words) < 3:
			c.once(l.at, true, "stonith_host takes the node that it is for, a plugin and its parameters")
		case l.words[1] != "*" && l.words[1] != c.self:
			c.once(l.at, false, "stonith_host: it is for the node %s", l.words[1])
		case ok:
			c.once(l.at, true, "stonith_host: an instance has one way to fence; a [vrrp.fence] with a command can try several")
		default:
			chosen, ok = l, true
		}
	}
	return chosen, ok
}
