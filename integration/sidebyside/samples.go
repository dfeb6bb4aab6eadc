package sidebyside

// samples is the folder of keepalived's own samples in Debian's package.
const samples = "usr/share/doc/keepalived/samples/keepalived.conf."

const twice = "the report says that the address is there twice, and what that does to a keepalived beside holdfast"

// static is a route, rule or address that the host has for good, because a person has run
// the command in the report.
func static(what, line string) Difference {
	return Difference{What: what, Holdfast: line, Why: "keepalived takes it away at its stop"}
}

// countedTwice is the advert of the sample vrrp with a priority, in hexadecimal: only
// keepalived has 192.168.200.18 twice in it.
func countedTwice(priority string) Difference {
	const head = "eth0 vrid 51 from 02:00:00:00:01:00 192.168.200.5 ttl 255 to 01:00:5e:00:00:12: 2133"
	return Difference{
		What: "adverts", Why: twice,
		Keepalived: head + priority + "0401010000c0a8c810c0a8c811c0a8c812c0a8c8123131313100000000",
		Holdfast:   head + priority + "0301010000c0a8c810c0a8c811c0a8c8123131313100000000",
	}
}

// Routers are the configurations without virtual servers: they need no IPVS.
var Routers = []Case{
	{Name: "keepalived.conf", File: "etc/keepalived/keepalived.conf.sample", Masters: 1, RoutersOnly: true}, // the others are below
	{Name: "conditional_conf high", File: samples + "conditional_conf", ID: "high", Masters: 1,
		Edit: []string{"@high net_namespace high", "", "@low net_namespace low", "", "advert_int 12", "advert_int 1"}},
	{Name: "conditional_conf low", File: samples + "conditional_conf", ID: "low", Masters: 1,
		Edit: []string{"@high net_namespace high", "", "@low net_namespace low", "", "advert_int 12", "advert_int 1"}},
	{Name: "track_interface", File: samples + "track_interface", Masters: 1,
		Differs: []Difference{
			static("routes", "type unicast dst 192.168.210.0/24 gateway 192.168.200.254 dev eth0 table main scope global"),
			static("routes", "type unicast dst 192.168.211.0/24 gateway 192.168.200.254 dev eth0 table main scope global"),
			static("routes", "type unicast dst 192.168.212.0/24 dev eth3 table main scope global"),
			static("routes", "type unicast dst 192.168.213.0/24 dev eth1 table main scope global"),
		}},
	{Name: "vrrp", File: samples + "vrrp", Masters: 4, Differs: []Difference{countedTwice("64"), countedTwice("00")}},
	{Name: "vrrp.localcheck", File: samples + "vrrp.localcheck", Masters: 9},
	{Name: "vrrp.routes", File: samples + "vrrp.routes", Masters: 1, Quick: true, Differs: []Difference{
		static("routes", "type unicast dst 192.168.209.0/24 gateway 192.168.200.254 dev eth0 prefsrc 192.168.100.1 table main scope global"),
		static("routes", "type unicast dst 192.168.210.0/24 gateway 192.168.200.254 dev eth0 table main scope global"),
		static("routes", "type unicast dst 192.168.211.0/24 gateway 192.168.200.254 dev eth0 table main scope global"),
		static("routes", "type unicast dst 192.168.212.0/24 dev eth3 table main scope site"),
		static("routes", "type unicast dst 192.168.213.0/24 dev eth1 table main scope link"),
	}},
	{Name: "vrrp.rules", File: samples + "vrrp.rules", Masters: 1, Quick: true, Differs: []Difference{
		static("rules", "-4 src 192.168.100.0 srclen 24 table 1"),
	}},
	{Name: "vrrp.scripts", File: samples + "vrrp.scripts", Masters: 3},
	{Name: "vrrp.static_ipaddress", File: samples + "vrrp.static_ipaddress", Masters: 1, Differs: []Difference{
		static("addresses", "eth0 192.168.200.16/32 scope link label eth0"),
		static("addresses", "eth1 192.168.200.17/32 scope link label eth1"),
		static("addresses", "eth2 192.168.200.18/32 scope global label eth2"),
	}},
	{Name: "vrrp.sync", File: samples + "vrrp.sync", Masters: 9},
}

// Balancers are the configurations with virtual servers.
var Balancers = []Case{
	dns,
	{Name: "sample", File: samples + "sample", Masters: 1, Servers: []string{"http 192.168.200.2:1358"},
		Dead: []string{"http 192.168.200.2:1358"}, Gone: []string{"192.168.200.2"}},
	{Name: "HTTP_GET.port", File: samples + "HTTP_GET.port", Servers: []string{"https 192.168.201.100:444"},
		Dead: []string{"https 192.168.201.100:444"}, Gone: []string{"192.168.201.100"}},
	{Name: "IPv6", File: samples + "IPv6", Servers: []string{"smtp [ae00::10]:25"},
		Dead: []string{"smtp [ae00::10]:25"}, Gone: []string{"[ae00::10]"}},
	{Name: "PING_CHECK", File: samples + "PING_CHECK", Servers: []string{"ping 192.168.200.6:0"},
		Dead: []string{"ping 192.168.200.6:0"}, Gone: []string{"192.168.200.6"}},
	{Name: "SMTP_CHECK", File: samples + "SMTP_CHECK", Addresses: []string{"eth0 172.16.1.2/24", "eth0 192.168.155.2/24"},
		// In a busy guest keepalived does not see connections and answers that are there,
		// with the sample's mail server and without it.
		Falters: "SMTP_CHECK Read timeout from server",
		Servers: []string{"smtp 172.16.1.10:25", "smtp 172.16.1.11:25", "smtp 192.168.155.10:25", "smtp 64.233.167.99:25",
			"smtp 172.16.1.12:25", "smtp 192.168.155.11:25", "smtp 64.233.167.100:587"},
		Dead: []string{"smtp 172.16.1.10:25", "smtp 64.233.167.99:25"}, Gone: []string{"172.16.1.10", "172.16.1.11"}},
	{Name: "SSL_GET", File: samples + "SSL_GET", Masters: 1, Servers: []string{"https 192.168.201.100:443", "http 192.168.201.100:80"},
		Dead: []string{"https 192.168.201.100:443"}, Gone: []string{"192.168.201.100:443"}},
	{Name: "UDP_CHECK", File: samples + "UDP_CHECK", Servers: []string{"udp 192.168.200.6:1358"},
		Dead: []string{"udp 192.168.200.6:1358"}, Gone: []string{"192.168.200.6"}},
	{Name: "fwmark", File: samples + "fwmark", Servers: []string{"tcp 192.168.201.100:80", "tcp 192.168.201.101:80"},
		Dead: []string{"tcp 192.168.201.101:80"}, Gone: []string{"192.168.201.101"}},
	{Name: "inhibit", File: samples + "inhibit", Servers: []string{"http 192.168.200.2:1358"},
		Dead: []string{"http 192.168.200.2:1358"}, Gone: []string{"192.168.200.2"}},
	{Name: "misc_check", File: samples + "misc_check", Servers: []string{"program /usr/local/bin/script.sh"},
		Dead: []string{"program /usr/local/bin/script.sh"}, Gone: []string{"192.168.200.6"}},
	{Name: "misc_check_arg", File: samples + "misc_check_arg", Servers: []string{"program /usr/local/bin/script.sh"},
		Dead: []string{"program /usr/local/bin/script.sh"}, Gone: []string{"192.168.200.6"}},
	{Name: "quorum", File: samples + "quorum", Differs: []Difference{{
		What: "calls", Holdfast: "/usr/local/sbin/quorum-down.sh", Sometimes: true,
		Why: "at the stop (omega) keepalived starts the program and ends, and the program gets SIGTERM because its parent has ended (PR_SET_PDEATHSIG): it may not have run. holdfast waits for it",
	}}, Servers: []string{"tcp 10.0.0.1:80", "tcp 10.0.0.2:80", "tcp 10.0.0.3:80", "tcp 10.0.0.4:80",
		"tcp 10.0.0.5:80", "tcp 10.0.0.6:80", "tcp 10.0.0.7:80", "tcp 10.0.0.8:80", "tcp 10.0.0.9:80", "tcp 10.0.0.10:80"},
		Dead: []string{"tcp 10.0.0.1:80", "tcp 10.0.0.2:80", "tcp 10.0.0.3:80", "tcp 10.0.0.4:80", "tcp 10.0.0.5:80", "tcp 10.0.0.6:80"},
		Gone: []string{"10.0.0.1:8080", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}},
	{Name: "status_code", File: samples + "status_code", Servers: []string{"https 192.168.201.100:443"},
		Dead: []string{"https 192.168.201.100:443"}, Gone: []string{"192.168.201.100"}},
	// A virtual address of the sample is a realserver too: checks of it would go through
	// the service, to any server.
	{Name: "virtual_server_group as it is", File: samples + "virtual_server_group", Servers: []string{"http 192.168.200.1:1358", "http 192.168.200.2:1358"}},
	{Name: "virtual_server_group", File: samples + "virtual_server_group", Edit: []string{"\t192.168.200.1 1358\n", "\t192.168.200.11 1358\n"},
		Servers: []string{"http 192.168.200.1:1358", "http 192.168.200.2:1358"},
		Dead:    []string{"http 192.168.200.2:1358"}, Gone: []string{"192.168.200.2"}},
	{Name: "virtualhost", File: samples + "virtualhost", Servers: []string{"https 192.168.201.100:80"},
		Dead: []string{"https 192.168.201.100:80"}, Gone: []string{"192.168.201.100"}},
	{Name: "vrrp.lvs_syncd", File: samples + "vrrp.lvs_syncd", Masters: 3, Servers: []string{"tcp 192.168.201.100:80"},
		Dead: []string{"tcp 192.168.201.100:80"}, Gone: []string{"192.168.201.100"}},
	// User Mode Linux lacks the parts of nftables that strict mode needs.
	{Name: "keepalived.conf", File: "etc/keepalived/keepalived.conf.sample", Masters: 1, Edit: []string{"vrrp_strict", ""},
		Servers: []string{"https 192.168.201.100:443", "http 192.168.200.2:1358", "http 192.168.200.3:1358", "http 192.168.200.4:1358", "http 192.168.200.5:1358"},
		Dead:    []string{"http 192.168.200.2:1358", "http 192.168.200.3:1358"}, Gone: []string{"192.168.200.2", "192.168.200.3"}},
}
