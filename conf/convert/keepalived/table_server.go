package keepalived

// serverWords are the words of virtual_server and real_server.
const serverWords = `
[virtual_server]
real_server{ | = | [[service.server]]
delay_loop | = | interval of the checks; keepalived's default is 60 s
connect_timeout | = | timeout of the checks; keepalived's default is 5 s
retry | = | fall of the checks, which is one more
delay_before_retry | = | retry_interval of the checks
warmup | ~ | holdfast spreads the first checks by itself
lb_algo,lvs_sched | = | scheduler; an unknown one, or one in capitals, is wlc as in keepalived
lb_kind,lvs_method | = | forward; an unknown one, or one in small letters, is nat as in keepalived
protocol | = | protocol; without it UDP, as in keepalived
persistence_timeout | = | persistence
persistence_granularity | = | persistence_prefix
persistence_engine | = | persistence_engine
ops | = | one_packet
flag-1,flag-2,flag-3,sh-port,sh-fallback,mh-port,mh-fallback | = | scheduler_flags
hashed | ~ | the flag has no effect in the kernel
ip_family | = | family of a service with a mark
ha_suspend | ! | holdfast checks servers also while another director has the address: use active = "master" if the table should follow too
alpha | = | starts_up = false; without it true
omega | = | down_at_stop = true in [service.notify]
quorum | = | quorum
hysteresis | = | hysteresis
quorum_up | = | quorum_up in [service.notify], with arguments = false
quorum_down | = | quorum_down in [service.notify], with arguments = false
sorry_server | = | fallback
sorry_server_inhibit | ~ | holdfast removes the fallback when servers are back; established connections to it go on for as long as the kernel keeps them
sorry_server_lvs_method | = | fallback_forward
backup_real_server{ | ! | the servers that holdfast uses while a service is down are in its list fallback, and are not checked: add the address there
failover_threshold | ! | quorum of the service is the sum of weights below which holdfast uses the fallback servers
failover_up | ! | quorum_down in [service.notify] runs when the fallback servers begin
failover_down | ! | quorum_up in [service.notify] runs when the fallback servers end
inhibit_on_failure | = | on_down = "quiesce"
weight | = | weight of servers without one
virtualhost | = | host of the checks
smtp_alert | = | the event "service" in [notify.mail], for all services
snmp_name | ~ | holdfast publishes no services over SNMP
nat_mask | ~ | IPVS has no such mask; keepalived ignores it
[virtual_server.real_server]
weight | = | weight, 1 without it
lvs_method | = | forward
uthreshold | = | upper_threshold
lthreshold | = | lower_threshold
inhibit_on_failure | = | on_down = "quiesce", if all servers of the service have it
notify_up | = | up in [service.server.notify], with arguments = false
notify_down | = | down in [service.server.notify], with arguments = false
alpha | = | starts_up = false
delay_loop | = | interval of the checks
connect_timeout | = | timeout of the checks
retry | = | fall of the checks, which is one more
delay_before_retry | = | retry_interval of the checks
warmup | ~ | holdfast spreads the first checks by itself
smtp_alert | = | the event "server" in [notify.mail], for all servers
virtualhost | = | host of the checks
snmp_name | ~ | holdfast publishes no servers over SNMP
TCP_CHECK{ | = | a check of type "tcp"
HTTP_GET{ | = | a check of type "http"
SSL_GET{ | = | a check of type "https" that does not verify the certificate
SMTP_CHECK{ | = | a check of type "smtp"
DNS_CHECK{ | = | a check of type "dns"
UDP_CHECK{ | = | a check of type "udp"
PING_CHECK{ | = | a check of type "ping"
MISC_CHECK{ | = | a check of type "external"
FILE_CHECK{ | = | a check of type "file"
BFD_CHECK{ | = | a check of type "bfd"
`

// checkWords are the words of the checks of a real_server.
const checkWords = `
[virtual_server.real_server.TCP_CHECK,virtual_server.real_server.HTTP_GET,virtual_server.real_server.SSL_GET,virtual_server.real_server.SMTP_CHECK,virtual_server.real_server.DNS_CHECK,virtual_server.real_server.UDP_CHECK]
connect_port | = | port of the check
[virtual_server.real_server.PING_CHECK]
connect_port | ~ | a ping has no port
[virtual_server.real_server.TCP_CHECK,virtual_server.real_server.HTTP_GET,virtual_server.real_server.SSL_GET,virtual_server.real_server.SMTP_CHECK,virtual_server.real_server.DNS_CHECK,virtual_server.real_server.UDP_CHECK,virtual_server.real_server.PING_CHECK]
connect_ip | = | address of the check
bindto | = | source of the check
bind_if | = | device of the check
bind_port | ! | holdfast lets the kernel choose the source port of a check: leave it out
fwmark | = | mark of the check
connect_timeout | = | timeout of the check
[virtual_server.real_server.TCP_CHECK,virtual_server.real_server.HTTP_GET,virtual_server.real_server.SSL_GET,virtual_server.real_server.SMTP_CHECK,virtual_server.real_server.DNS_CHECK,virtual_server.real_server.UDP_CHECK,virtual_server.real_server.PING_CHECK,virtual_server.real_server.MISC_CHECK]
retry | = | fall of the check, which is one more
delay_before_retry | = | retry_interval of the check
delay_loop | = | interval of the check
warmup | ~ | holdfast spreads the first checks by itself
alpha | = | starts_up = false of the server
log_all_failures | ~ | holdfast shows the last failure of each server in status, with its reason
[virtual_server.real_server.HTTP_GET,virtual_server.real_server.SSL_GET]
nb_get_retry | = | the old name of retry: fall of the check, which is one more
url{ | = | path, host, status, body and digest of the check; several are [[service.check.request]]
virtualhost | = | host of the check
http_protocol | ~ | holdfast asks with HTTP/1.1
fast_recovery | ~ | holdfast asks for all pages at each check
tls_compliant | ~ | holdfast expects a proper end of a TLS connection only where the length of the answer is not known
[virtual_server.real_server.SSL_GET]
enable_sni | = | server_name in [service.check.tls]
sni_name | = | server_name in [service.check.tls]
[virtual_server.real_server.HTTP_GET]
enable_sni,sni_name | ~ | there is no TLS
[virtual_server.real_server.HTTP_GET.url,virtual_server.real_server.SSL_GET.url]
path | = | path
digest | = | digest
status_code | = | status
virtualhost | = | host
regex | = | body; Go's regular expressions know no look-around and no back references
regex_no_match | = | the body must not match
regex_options | = | flags in front of the expression in body, as far as Go knows them
regex_min_offset,regex_max_offset | ! | holdfast looks at the whole body: make the expression more specific
regex_stack | ~ | Go's regular expressions need no stack
tls_compliant | ~ | holdfast expects a proper end of a TLS connection only where the length of the answer is not known
username | = | user of the check
password | = | password_file of the check
[virtual_server.real_server.SMTP_CHECK]
helo_name | = | hello
host{ | = | a check of its own, with its address and port; all must be well
[virtual_server.real_server.SMTP_CHECK.host]
connect_ip | = | address of the check
connect_port | = | port of the check
bindto | = | source of the check
bind_if | = | device of the check
bind_port | ! | holdfast lets the kernel choose the source port of a check: leave it out
fwmark | = | mark of the check
connect_timeout | = | timeout of the check
[virtual_server.real_server.DNS_CHECK]
type | = | record
name | = | name
[virtual_server.real_server.UDP_CHECK]
payload | = | send_hex
require_reply | = | expect; without it silence_ok = true
min_reply_length,max_reply_length | = | expect
[virtual_server.real_server.MISC_CHECK]
misc_path | = | command
misc_timeout | = | timeout; without it as long as the interval
misc_dynamic | = | weight = "exit"
user | = | user
[virtual_server.real_server.FILE_CHECK]
track_file | = | file
weight | = | weight
dynamic | ~ | keepalived documents it and does not know it
[virtual_server.real_server.BFD_CHECK]
name | = | bfd
alpha | = | starts_up = false of the server
`

// bfdWords are the words of bfd_instance.
const bfdWords = `
[bfd_instance]
neighbor_ip,neighbour_ip | = | neighbour
source_ip | = | source
min_rx | = | min_rx; keepalived's default is 10 ms
min_tx | = | min_tx; keepalived's default is 10 ms
idle_tx | = | idle_tx
multiplier | = | multiplier; keepalived's default is 5
passive | = | passive
ttl,hoplimit | = | ttl, with multihop = true
max_hops | = | multihop = true and max_hops
weight | = | weight of the [[track]]; with reverse a tracker with reverse = true and the opposite weight
vrrp,checker | ~ | holdfast is one process: whoever tracks the session learns of its state
`
