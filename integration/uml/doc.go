// Package uml runs a test binary, or any other program of ours, inside User
// Mode Linux when the running kernel has no IPVS. User Mode Linux is the real
// Linux kernel as an ordinary process: it boots in about two seconds, needs no
// privilege, and has ip_vs, macvlan, bridge and the rest as modules.
//
// A test package that needs IPVS says
//
//	func TestMain(m *testing.M) { uml.Main(m) }
//
// and that is all. Where the kernel has IPVS its tests run as ever. Elsewhere
// Main boots a guest, or two that share the tests, runs the binary there with
// the same arguments, environment and working directory, passes its output
// through, and exits with its status, so -run, -v, -count and -timeout work as
// usual. Without IPVS and without User Mode Linux the tests are skipped with a
// message, or fail if $HOLDFAST_REQUIRE lists "ipvs". HOLDFAST_UML=always
// boots a guest in any case, HOLDFAST_UML=never refuses to.
//
// In the guest:
//
//   - the test is root, and may make network namespaces as it likes; lo is up;
//   - the host's files are there at their places, read-only; /tmp, /run, /mnt
//     and /var/tmp are empty and writable, and vanish with the guest;
//   - modules load by themselves on demand; those of [Modules] are loaded;
//   - PATH starts with the folder of the fetched programs (ipvsadm, ip,
//     keepalived, tcpdump …);
//   - there is one CPU, and system calls are slow: test behaviour, not speed.
package uml

// Modules are loaded before the program starts. A kernel that has one of them
// built in, or does not have it, is no error: the test that needs it will fail.
var Modules = []string{
	"ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sed", "ip_vs_nq", "ip_vs_dh",
	"ip_vs_sh", "ip_vs_lblc", "ip_vs_lblcr", "ip_vs_mh", "ip_vs_fo", "ip_vs_ovf", "ip_vs_twos",
	"ip_vs_ftp", "ip_vs_pe_sip",
	"nf_conntrack", "nf_tables", "nft_chain_nat", "nft_compat", "ip_tables", "iptable_mangle",
	"ip6_tables", "ip6table_mangle", "xt_mark", "xt_MARK", "xt_connmark",
	"ipv6", "macvlan", "veth", "bridge", "dummy", "8021q", "bonding", "vrf", "tun",
	"ipip", "tunnel4", "sit", "ip6_tunnel", "ip_gre", "fou", "sch_netem", "sch_prio", "cls_u32",
	"af_packet", "packet_diag",
}
