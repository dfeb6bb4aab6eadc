package keepalived

// topWords are the words of the top level that do not begin a family of their own.
const topWords = `
[]
global_defs{ | = | the tables [director], [notify], [lvs], and defaults of every [[vrrp]]
net_namespace | ! | holdfast runs in the namespace that it is started in: start it with "ip netns exec NAME", or with NetworkNamespacePath= in its systemd unit
net_namespace_ipvs | ! | holdfast keeps IPVS in its own namespace: a separate namespace for IPVS is not possible
namespace_with_ipsets | ~ | holdfast uses no ipsets
instance | ~ | holdfast has no name for a daemon among several in one network namespace, because only one can run there
use_pid_dir | ~ | holdfast has no PID files; its runtime_dir is /run/holdfast
linkbeat_use_polling | ~ | holdfast gets the state of links from the kernel
child_wait_time | ~ | holdfast is one process
static_ipaddress{} | ! | holdfast brings only addresses that move; the report has the command for the host
static_routes{} | ! | holdfast brings only routes that move; the report has the command for the host
static_rules{} | ! | holdfast brings only rules that move; the report has the command for the host
track_group{ | ! | holdfast does not track the host's own addresses and routes: track the route with a [[track]] of type "route"
linkbeat_interfaces{} | ~ | holdfast gets the state of links from the kernel
interface_up_down_delays{} | = | link_delay of each [[vrrp]] on the interface, for the up delay
garp_group{ | = | interval in [vrrp.garp] of the instances on the interfaces
vrrp_sync_group{ | = | [[group]]
vrrp_instance{ | = | [[vrrp]]
vrrp_script{ | = | [[track]] of type "script"
vrrp_track_process{ | = | [[track]] of type "process"
track_file{,vrrp_track_file{ | = | [[track]] of type "file"
bfd_instance{ | = | [[bfd]], and a [[track]] of type "bfd" if it is tracked
virtual_server_group{} | = | the list address of a [[service]] for every virtual_server that names the group, and the list mark of another one
virtual_server{ | = | [[service]]
SSL{ | = | cert and key in [service.check.tls]
include,includer,includem,includew,includeb,includea | = | the files are read where the line stands: a [[vrrp]] in them as one in the file itself
`

// globalWords are the words of global_defs.
const globalWords = `
[global_defs]
router_id | = | name in [director], if it can be a name
notification_email{} | = | to in [notify.mail]
notification_email_from | = | from in [notify.mail]
smtp_server | = | server in [notify.mail]
smtp_helo_name | = | helo in [notify.mail]
smtp_connect_timeout | = | timeout in [notify.mail], which bounds a whole mail
smtp_alert | = | whether there is a [notify.mail], and its events
smtp_alert_vrrp | = | as smtp_alert, for the events "instance" and "group"
smtp_alert_checker | = | as smtp_alert, for the events "service" and "server"
no_email_faults | ! | holdfast mails faults with the other changes of an instance: use an [[alert]] or filter the mail
no_checker_emails | = | no event "server" in [notify.mail]
startup_script,shutdown_script | ! | holdfast runs no programs of this kind: use ExecStartPre= and ExecStopPost= in its systemd unit
startup_script_timeout,shutdown_script_timeout | ! | it belongs to the startup or shutdown script: use TimeoutStartSec= and TimeoutStopSec= in the systemd unit
lvs_sync_daemon | = | [lvs.sync]
lvs_timeouts | = | [lvs.timeouts]
lvs_flush | ~ | holdfast never flushes the table: it removes what it made in an earlier run and leaves services of others alone. If others left some, run "ipvsadm -C" once
lvs_flush_on_stop,lvs_flush_onstop | ~ | holdfast removes its own services at a stop
lvs_notify_fifo,notify_fifo,vrrp_notify_fifo | = | [[notify.fifo]]
lvs_notify_fifo_script,notify_fifo_script,vrrp_notify_fifo_script | = | command in [[notify.fifo]]
fifo_write_vrrp_states_on_reload | = | states_on_reload in [[notify.fifo]]
vrrp_notify_priority_changes | = | the event "priority" in [[notify.fifo]]
vrrp_mcast_group4,vrrp_mcast_group6 | = | multicast of each [[vrrp]]
default_interface | = | interface of a [[vrrp]] without one, if it is unicast
vrrp_version | = | version of each [[vrrp]]; keepalived's default is 2
vrrp_garp_master_delay | = | delay in [vrrp.garp]
vrrp_garp_master_repeat | = | repeat in [vrrp.garp]
vrrp_garp_master_refresh | = | refresh in [vrrp.garp]; keepalived's default is no refresh
vrrp_garp_master_refresh_repeat | = | refresh_repeat in [vrrp.garp]
vrrp_garp_interval | = | interval in [vrrp.garp], for IPv4
vrrp_gna_interval | = | interval in [vrrp.garp], for IPv6
vrrp_garp_lower_prio_delay,vrrp_garp_lower_prio_repeat | ~ | when a MASTER hears a rival, holdfast announces as [vrrp.garp] says for a takeover
vrrp_min_garp | = | repeat = 1 and delay = "0s" in [vrrp.garp]
vrrp_garp_extra_if,vrrp_vmac_garp_intvl | = | refresh in [vrrp.garp], which announces on every interface with addresses
vrrp_lower_prio_no_advert | ~ | holdfast answers the advert of a lower priority at once, as RFC 9568 says
vrrp_higher_prio_send_advert | ~ | holdfast yields to a higher priority at once; the new MASTER announces the addresses
vrrp_check_unicast_src | ~ | holdfast accepts unicast adverts from peers only
vrrp_skip_check_adv_addr | ~ | holdfast compares the addresses of every advert, counts what differs and accepts it
vrrp_strict | = | accept = false, no authentication and no preempt_delay, as keepalived did
vrrp_startup_delay | = | start_delay of each [[vrrp]]
vrrp_delay_after_boot | ! | holdfast counts from its own start: use start_delay, or order the systemd unit after what boots late
vrrp_owner_ignore_adverts | ! | an owner of the addresses hears adverts in holdfast: two owners notice each other
vrrp_v3_checksum_as_v2,v3_checksum_as_v2 | = | checksum = "rfc9568" of each [[vrrp]] with version 3 over IPv4
vrrp_down_timer_adverts | = | down_after of each [[vrrp]]
vrrp_iptables,vrrp_ipsets,nftables,nftables_priority,nftables_counters,nftables_ifindex | ~ | holdfast makes a table of nftables itself where accept = false needs it; a virtual MAC needs none
nftables_ipvs,nftables_ipvs_priority,nftables_ipvs_start_fwmark | ~ | holdfast makes an IPVS service for each address of a group and needs no firewall marks
disable_local_igmp | ~ | the device of a virtual MAC is down while the instance is BACKUP, so it sends no IGMP
vmac_prefix,vmac_addr_prefix | ~ | holdfast names its devices like vrrp4-51; the key device of [[vrrp]] sets another name
dynamic_interfaces | ~ | holdfast waits for interfaces that do not exist yet
log_unknown_vrids | ~ | holdfast shows refused adverts of its own VRIDs in status, and counts the others
script_user | = | user and group in [director.script]
enable_script_security | ~ | holdfast never runs a program that others than root and its user can change
use_symlink_paths | ~ | holdfast checks the path of a program with all its links
set_supplementary_groups | ~ | a program of holdfast always has the supplementary groups of its user
enable_snmp_rfc,enable_snmp_rfcv3 | = | [director.snmp]
enable_snmp_rfcv2 | = | [director.snmp], which serves the tables of RFC 6527 for version 2 too
enable_snmp_vrrp,enable_snmp_keepalived | ! | holdfast has no KEEPALIVED-MIB: [director.snmp] serves VRRPV3-MIB (RFC 6527)
enable_snmp_checker | ! | holdfast has no KEEPALIVED-MIB: read the state of services from "holdfast status --json"
enable_traps | = | traps in [director.snmp]
snmp_socket | = | agentx in [director.snmp]
snmp_vs_stats_update_interval,snmp_rs_stats_update_interval | ~ | holdfast reads the counters of IPVS when somebody asks for them
enable_dbus | = | enabled in [director.dbus]; the binary must be built with D-Bus
dbus_service_name | = | name in [director.dbus]
dbus_no_interface_name | ~ | every [[vrrp]] of holdfast has an interface
checker_log_all_failures | ~ | holdfast shows the last failure of each server in status, with its reason
rs_init_notifies | ~ | holdfast runs the programs of a server when its first verdict changes its state
vrrp_process_name,checker_process_name,lvs_process_name,bfd_process_name,process_name,process_names | ~ | holdfast is one process
vrrp_priority,checker_priority,bfd_priority,vrrp_no_swap,checker_no_swap,bfd_no_swap | ~ | holdfast's VRRP loop runs with real-time priority where the system permits it; use Nice= and MemorySwapMax= in the systemd unit for more
vrrp_rt_priority,checker_rt_priority,bfd_rt_priority,max_auto_priority,min_auto_priority_delay | ~ | holdfast's VRRP loop runs with real-time priority where the system permits it
vrrp_rlimit_rttime,vrrp_rlimit_rtime,checker_rlimit_rttime,checker_rlimit_rtime,bfd_rlimit_rttime,bfd_rlimit_rtime | ~ | holdfast needs no limit: use LimitRTTIME= in the systemd unit if you want one
vrrp_cpu_affinity,checker_cpu_affinity,bfd_cpu_affinity | ~ | use CPUAffinity= in the systemd unit
vrrp_netlink_cmd_rcv_bufs,vrrp_netlink_cmd_rcv_bufs_force,vrrp_netlink_monitor_rcv_bufs,vrrp_netlink_monitor_rcv_bufs_force | ~ | holdfast sizes its netlink buffers itself and reads everything again after an overrun
lvs_netlink_cmd_rcv_bufs,lvs_netlink_cmd_rcv_bufs_force,lvs_netlink_monitor_rcv_bufs,lvs_netlink_monitor_rcv_bufs_force | ~ | holdfast sizes its netlink buffers itself and reads everything again after an overrun
process_monitor_rcv_bufs,process_monitor_rcv_bufs_force | ~ | holdfast sizes its buffers itself and looks at all processes again after an overrun
vrrp_rx_bufs_policy,vrrp_rx_bufs_multiplier | ~ | holdfast sizes its receive buffers itself
umask | ~ | holdfast creates its files with mode 600
random_seed | ~ | the converted file has no random numbers
reload_check_config | ~ | a reload of holdfast never applies a file with an error
reload_time_file,reload_repeat | ! | holdfast does not reload by a clock: run "holdfast reload" from a systemd timer
reload_file | ~ | "holdfast reload" answers when the reload is done
include_check | ~ | a missing file of include is an error of holdfast, a pattern without a match is not
tmp_config_directory,config_save_dir | ~ | holdfast reads its file once and keeps no copy
data_use_instance,state_dump_file,stats_dump_file,json_dump_file,json_version | ~ | "holdfast status --json" prints the state
iproute_usr_dir,iproute_etc_dir | ~ | holdfast reads the names of routing tables where iproute2 has them
`

// staticWords are the words in blocks around static addresses and routes.
const staticWords = `
[track_group]
group{} | ! | it belongs to the track_group
[garp_group]
garp_interval | = | interval in [vrrp.garp] of the IPv4 instances on the interfaces
gna_interval | = | interval in [vrrp.garp] of the IPv6 instances on the interfaces
interface | = | the interface whose instances get the interval
interfaces{} | = | the interfaces whose instances get the interval; holdfast paces each interface on its own
[SSL]
password | ! | holdfast reads keys without a password: decrypt the key (openssl pkey) and keep it with mode 600
ca | ~ | keepalived never verifies a certificate, so verify = false is written; use ca and verify = true in [service.check.tls] to change that
certificate | = | cert in [service.check.tls]
key | = | key in [service.check.tls]
`
