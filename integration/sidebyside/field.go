package sidebyside

// otherFamily is why an excluded address is on another device.
const otherFamily = "the report says that keepalived adds an address of the other family to the interface, and holdfast to the device of the virtual MAC"

// Field are configurations of the kinds that people have: their shapes are those of public
// repositories.
var Field = []Case{
	{Name: "a script in a container", Masters: 1, Text: `
global_defs {
  script_user root
  enable_script_security
}
vrrp_script alive {
  script "/bin/true"
  interval 3
  weight 4
}
vrrp_instance CONTAINER {
  state BACKUP
  interface eth0
  priority 90
  virtual_router_id 77
  advert_int 1
  track_script {
    alive
  }
  virtual_ipaddress {
    192.168.200.30/24
  }
}
`},
	{Name: "a pair of gateways", Masters: 2, Quick: true, Text: `
global_defs {
  smtp_server 127.0.0.1
  smtp_connect_timeout 10
  notification_email_from lvs@example.com
  notification_email {
    root@example.com
  }
  garp_master_delay 2
}
vrrp_sync_group BOTH {
  group {
    outer
    inner
  }
}
vrrp_instance outer {
  state BACKUP
  interface ens1f0
  virtual_router_id 21
  use_vmac outer
  priority 120
  preempt_delay 4
  smtp_alert
  authentication {
    auth_type PASS
    auth_pass pairing
  }
  virtual_ipaddress {
    10.99.2.1/24
  }
  virtual_ipaddress_excluded {
    10.99.2.11
    10.99.2.12
    10.99.2.13
  }
  notify "/etc/keepalived/any.sh"
  notify_master "/etc/conntrackd/sync.sh primary"
  notify_backup "/etc/conntrackd/sync.sh backup"
  notify_fault "/etc/conntrackd/sync.sh fault"
}
vrrp_instance inner {
  state BACKUP
  interface ens1f1.57
  virtual_router_id 22
  use_vmac inner
  priority 120
  preempt_delay 4
  smtp_alert
  authentication {
    auth_type PASS
    auth_pass pairing
  }
  virtual_ipaddress {
    172.16.57.7/24
  }
  notify "/etc/keepalived/any.sh"
  notify_master "/etc/conntrackd/sync.sh primary"
  notify_backup "/etc/conntrackd/sync.sh backup"
  notify_fault "/etc/conntrackd/sync.sh fault"
}
`},
	{Name: "IPv6", Masters: 3, Quick: true, Addresses: []string{"eth0 2001:db8:66::5/64", "eth1 2001:db8:67::5/64"}, Differs: []Difference{
		{What: "addresses", Keepalived: "eth1 192.168.201.67/24 scope global label eth1", Holdfast: "six 192.168.201.67/24 scope global label six", Why: otherFamily},
		{
			What: "announced", Why: otherFamily,
			Keepalived: "eth1 192.168.201.67 at 02:00:00:00:01:01 from 02:00:00:00:01:01 to ff:ff:ff:ff:ff:ff",
			Holdfast:   "eth1 192.168.201.67 at 00:00:5e:00:02:43 from 00:00:5e:00:02:43 to ff:ff:ff:ff:ff:ff",
		},
	}, Text: `
global_defs {
  vrrp_version 3
}
vrrp_sync_group SIX {
  group {
    plain
    virtual
  }
}
vrrp_instance plain {
  state BACKUP
  interface eth0
  virtual_router_id 66
  priority 150
  advert_int 1
  virtual_ipaddress {
    fe80::66/64
    2001:db8:66::100/64
  }
  notify /etc/keepalived/six.sh
}
vrrp_instance virtual {
  state BACKUP
  interface eth1
  use_vmac six
  virtual_router_id 67
  priority 150
  advert_int 1
  virtual_ipaddress {
    fe80::67/64
    2001:db8:67::100/64
  }
  virtual_ipaddress_excluded {
    2001:db8:67::101/64
    192.168.201.67/24
  }
}
vrrp_instance four {
  state BACKUP
  interface eth0
  virtual_router_id 66
  priority 150
  advert_int 1
  virtual_ipaddress {
    192.168.200.66/24
  }
}
`},
	{Name: "version 3 with programs", Masters: 1, Quick: true, Text: `
global_defs {
  vrrp_version 3
  router_id front
}
vrrp_script web {
  script "/usr/local/bin/check-web http://127.0.0.1"
  weight -40
  interval 1
}
vrrp_instance web {
  state BACKUP
  interface eth0
  virtual_router_id 30
  priority 140
  advert_int 1
  track_script {
    web
  }
  virtual_ipaddress {
    192.168.200.31/24
  }
  notify "/etc/keepalived/notify.sh"
  notify_stop "/etc/keepalived/notify.sh stop"
  notify_fault "/etc/keepalived/notify.sh fault"
  notify_backup "/etc/keepalived/notify.sh backup"
  notify_master "/etc/keepalived/notify.sh master"
}
`},
	{Name: "AH, and the name of the director", ID: "front", Masters: 1, Quick: true, Text: `
global_defs {
  @front router_id front
  @back router_id back
}
vrrp_instance VI_AH {
  state BACKUP
  interface eth0
  virtual_router_id 44
  @front priority 140
  @back priority 130
  advert_int 1
  authentication {
    auth_type AH
    auth_pass $_INSTANCE
  }
  virtual_ipaddress {
    192.168.200.44/24
  }
  virtual_rules {
    from 192.168.200.44 table 144
  }
  notify_stop "/etc/keepalived/role.sh stop $_INSTANCE"
  notify_backup "/etc/keepalived/role.sh backup $_INSTANCE"
  notify_master "/etc/keepalived/role.sh master ${_INSTANCE}"
}
`},
}

// dns is a pair of name servers that are realservers of themselves.
var dns = Case{
	Name: "name servers", Quick: true, Masters: 1, Addresses: []string{"eth0 192.168.0.7/24"},
	Servers: []string{"tcp 192.168.0.21:53", "tcp 192.168.0.22:53"},
	Dead:    []string{"tcp 192.168.0.22:53"}, Gone: []string{"192.168.0.22"},
	Text: `
vrrp_instance names {
  state BACKUP
  interface eth0
  virtual_router_id 53
  priority 110
  authentication {
    auth_type PASS
    auth_pass naming
  }
  virtual_ipaddress {
    192.168.0.20/24 dev eth0
  }
}
virtual_server 192.168.0.20 53 {
  protocol TCP
  lb_algo wlc
  delay_loop 5
  real_server 192.168.0.21 53 {
    weight 10
    TCP_CHECK {
      connect_timeout 4
    }
  }
  real_server 192.168.0.22 53 {
    weight 10
    TCP_CHECK {
      connect_timeout 4
    }
  }
}
`}
