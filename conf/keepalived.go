package conf

import (
	"fmt"
	"slices"
	"strings"
)

// keepalivedWords has what to write instead of a keyword of keepalived.conf: the key,
// and a value where the key alone would mislead.
var keepalivedWords = map[string]string{
	"vrrp_instance": "vrrp", "vrrp_sync_group": "group", "vrrp_script": "track", "vrrp_track_file": "track",
	"vrrp_track_process": "track", "bfd_instance": "bfd", "virtual_server": "service", "global_defs": "director",

	"virtual_router_id": "vrid", "vrrp_version": "version", "advert_int": "interval", "nopreempt": "preempt = false",
	"virtual_ipaddress": "addresses", "virtual_ipaddress_excluded": "excluded_addresses", "use_vmac": "mac",
	"use_vmac_addr": "mac", "unicast_peer": "peers", "unicast_src_ip": "source", "mcast_src_ip": "source",
	"dont_track_primary": "track_link = false", "no_accept": "accept = false", "authentication": "auth",
	"auth_type": "auth", "auth_pass": "auth", "track_interface": "track", "track_script": "track",
	"track_file": "track", "track_process": "track", "track_bfd": "track", "virtual_routes": "route",
	"virtual_rules": "rule", "notify_master": "notify", "notify_backup": "notify", "notify_fault": "notify",
	"notify_stop": "notify",

	"real_server": "server", "lb_algo": "scheduler", "lvs_sched": "scheduler", "lb_kind": "forward",
	"lvs_method": "forward", "persistence_timeout": "persistence", "sorry_server": "fallback",
	"inhibit_on_failure": `on_down = "quiesce"`, "fwmark": "mark",
}

// fromKeepalived returns the key that does what a keyword of keepalived does, and the
// hint to it; "" if none of known does.
func fromKeepalived(word string, known []string) (key, hint string) {
	write, ok := keepalivedWords[word]
	key, _, _ = strings.Cut(write, " ")
	if !ok || !slices.Contains(known, key) {
		return "", ""
	}
	return key, fmt.Sprintf("; for keepalived's %s write %s", word, write)
}
