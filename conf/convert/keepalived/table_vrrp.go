package keepalived

// instanceWords are the words of vrrp_instance.
const instanceWords = `
[vrrp_instance]
state | = | MASTER without a priority is priority 255; otherwise every instance begins as BACKUP, in keepalived as in holdfast
interface | = | interface
virtual_router_id | = | vrid
priority | = | priority; a number outside 1 to 255 is 100, as in keepalived
advert_int | = | interval; version 2 rounds to whole seconds, version 3 to 10 ms
version | = | version; IPv6 always has 3
virtual_ipaddress{} | = | addresses, one a line
virtual_ipaddress_excluded{} | = | excluded_addresses
no_virtual_ipaddress | = | addresses = []
virtual_routes{} | = | [[vrrp.route]]
virtual_rules{} | = | [[vrrp.rule]]
use_vmac | = | mac = "vrrp", or the address; without use_vmac mac = "interface". A name without dots becomes device
vmac_xmit_base | = | advert_mac = "interface"
use_vmac_addr | = | mac and device as with use_vmac: holdfast uses the virtual MAC on the other interfaces of its addresses too
use_ipvlan | ! | holdfast has no ipvlan devices: mac = "interface" was written
unicast_peer{} | = | unicast = true and peers; min_ttl and max_ttl
unicast_src_ip | = | source
unicast_ttl | = | ttl
unicast_fault_no_peer | ~ | unicast = true without peers is an error of holdfast
check_unicast_src | ~ | holdfast accepts unicast adverts from peers only
mcast_src_ip | = | source
mcast_dst_ip | = | multicast
track_src_ip | ~ | an instance of holdfast is in FAULT while its interface lacks the source address
old_unicast_checksum | ! | holdfast does not know the checksum of keepalived before 1.3.7: update the peer
v3_checksum_as_v2 | = | checksum = "rfc9568"
authentication{ | = | [vrrp.auth], for version 2
auth_hmac{ | = | [vrrp.auth] with type = "hmac"
nopreempt | = | preempt = false, unless the state is MASTER, where keepalived ignores it
preempt | = | preempt = true
preempt_delay | = | preempt_delay, unless the state is MASTER or nopreempt is set, where keepalived ignores it
down_timer_adverts | = | down_after
timer_expired_backup | ! | holdfast has no key for a daemon that ran late: leave it out
owner_ignore_adverts | ! | an owner of the addresses hears adverts in holdfast: two owners notice each other
garp_master_delay | = | delay in [vrrp.garp]
garp_master_repeat | = | repeat in [vrrp.garp]
garp_master_refresh | = | refresh in [vrrp.garp]
garp_master_refresh_repeat | = | refresh_repeat in [vrrp.garp]
garp_lower_prio_delay,garp_lower_prio_repeat | ~ | when a MASTER hears a rival, holdfast announces as [vrrp.garp] says for a takeover
garp_extra_if,vmac_garp_intvl | = | refresh in [vrrp.garp], which announces on every interface with addresses
lower_prio_no_advert | ~ | holdfast answers the advert of a lower priority at once, as RFC 9568 says
higher_prio_send_advert | ~ | holdfast yields to a higher priority at once; the new MASTER announces the addresses
accept | = | accept = true
no_accept | = | accept = false
strict_mode | = | accept = false, no authentication and no preempt_delay, as keepalived did
skip_check_adv_addr | ~ | holdfast compares the addresses of every advert, counts what differs and accepts it
dont_track_primary | = | track_link = false
track_interface{} | = | track, with a [[track]] of type "interface"
track_script{} | = | track
track_file{} | = | track
track_process{} | = | track
track_bfd{} | = | track, with a [[track]] of type "bfd"
notify_master | = | master in [vrrp.notify], with arguments = false
notify_backup | = | backup in [vrrp.notify], with arguments = false
notify_fault | = | fault in [vrrp.notify], with arguments = false
notify_stop | = | stop in [vrrp.notify], with arguments = false
notify_deleted | = | deleted in [vrrp.notify], with arguments = false
notify_master_rx_lower_pri | = | rival in [vrrp.notify], with arguments = false; it also runs when the rival is gone
notify | = | any in [vrrp.notify]; holdfast gives the same four arguments
notify_priority_changes | = | the event "priority" in [[notify.fifo]]
smtp_alert | = | the event "instance" in [notify.mail], for all instances
lvs_sync_daemon_interface | = | [lvs.sync] that follows the instance
promote_secondaries | ~ | set net.ipv4.conf.IF.promote_secondaries = 1 in sysctl.d if several addresses of one subnet are on the interface itself; a virtual MAC needs nothing
native_ipv6 | ~ | the addresses determine the family
vrf | ! | holdfast takes the VRF from the interface: give the instance an interface in the VRF
linkbeat_use_polling | ~ | holdfast gets the state of links from the kernel
kernel_rx_buf_size | ~ | holdfast sizes its receive buffers itself
debug | ~ | it has no effect in keepalived
[vrrp_instance.authentication]
auth_type | = | type: PASS is "password", AH is "ah"
auth_pass | = | secret_file: the secret, cut to 8 characters as keepalived does, goes to a file of mode 600
[vrrp_instance.auth_hmac]
key | = | an element of keys; the key goes to a file of mode 600
active_key | = | active_key
anti_replay | = | with monotonic time_window = "0s"
time_window | = | time_window
mode | = | mode
`

// groupWords are the words of vrrp_sync_group.
const groupWords = `
[vrrp_sync_group]
group{} | = | members
track_interface{} | = | track
track_script{} | = | track
track_file{} | = | track
track_process{} | = | track
track_bfd{} | = | track
notify_master | = | master in [group.notify], with arguments = false
notify_backup | = | backup in [group.notify], with arguments = false
notify_fault | = | fault in [group.notify], with arguments = false
notify_stop | = | stop in [group.notify], with arguments = false
notify | = | any in [group.notify]; holdfast gives the same four arguments
notify_priority_changes | = | the event "priority" in [[notify.fifo]]
smtp_alert | = | the event "group" in [notify.mail], for all groups
global_tracking | ~ | what one member tracks counts for all members in holdfast
sync_group_tracking_weight | = | the weights of what members track are kept; without it keepalived ignores them in a group
`

// trackWords are the words of what can be tracked.
const trackWords = `
[vrrp_script]
script | = | command
interval | = | interval, in whole seconds
timeout | = | timeout
weight | = | weight; with reverse a tracker with reverse = true and the opposite weight
rise | = | rise
fall | = | fall; keepalived's default is 1
user | = | user and group of the command
init_fail | ~ | an instance of holdfast stays in INIT until the state of its trackers is known
[vrrp_track_process]
process | = | process and parameters
param_match | = | parameters_match, in which initial and partial have each other's names
weight | = | weight
quorum | = | quorum
quorum_max | = | quorum_max; 0 is reverse = true
delay | = | rise and fall, each step 100 ms
fork_delay | = | rise, each step 100 ms
terminate_delay | = | fall, each step 100 ms
full_command | = | process as a path
[track_file,vrrp_track_file]
file | = | file
weight | = | weight; keepalived's default is 1
init_file | ! | holdfast does not create the file: write it before the start (systemd-tmpfiles), or use the key missing
`
