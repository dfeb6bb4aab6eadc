package sidebyside

// unknown is why a program for FAULT may be called at the start.
const unknown = "an instance of holdfast is in FAULT until its scripts have answered once"

// Field are configurations of the kinds that people have: their shapes are those of public
// repositories.
var Field = []Case{
	{Name: "a script in a container", Masters: 1, Text: `
global_defs {
    enable_script_security
    script_user root
}
vrrp_script well {
    script "/bin/true"
    interval 2
    weight 2
}
vrrp_instance SERVICE {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    virtual_ipaddress {
        192.168.200.254/24
    }
    track_script {
        well
    }
}
`},
	{Name: "a pair of gateways", Masters: 2, Text: `
global_defs {
      notification_email {
            admin@example.org
      }
      notification_email_from  admin@example.org
      smtp_server 127.0.0.1
      smtp_connect_timeout 30
      garp_master_delay 3
}
vrrp_sync_group GATEWAY {
  group {
    outer
    inner
  }
}
vrrp_instance outer {
    interface ens1f0
    state BACKUP
    virtual_router_id 61
    priority 150
    smtp_alert
    preempt_delay 5
    use_vmac outer
    notify "/etc/keepalived/notify.sh"
    notify_master "/etc/conntrackd/sync.sh primary"
    notify_backup "/etc/conntrackd/sync.sh backup"
    notify_fault "/etc/conntrackd/sync.sh fault"
    authentication {
      auth_type PASS
      auth_pass  secret
    }
    virtual_ipaddress {
        10.99.2.1/24
    }
    virtual_ipaddress_excluded {
        10.99.2.11
        10.99.2.12
        10.99.2.13
        10.99.2.14
    }
}
vrrp_instance inner {
    interface ens1f1.57
    state BACKUP
    virtual_router_id 62
    priority 150
    smtp_alert
    preempt_delay 5
    use_vmac inner
    notify "/etc/keepalived/notify.sh"
    notify_master "/etc/conntrackd/sync.sh primary"
    notify_backup "/etc/conntrackd/sync.sh backup"
    notify_fault "/etc/conntrackd/sync.sh fault"
    authentication {
      auth_type PASS
      auth_pass  secret
    }
    virtual_ipaddress {
        172.16.57.7/24
    }
}
`},
	{Name: "version 3 with programs", Masters: 1, Differs: []Difference{
		{What: "calls", Holdfast: "/etc/keepalived/notify.sh <fault>", Sometimes: true, Why: unknown},
		{What: "calls", Holdfast: "/etc/keepalived/notify.sh <INSTANCE> <web> <FAULT> <150>", Sometimes: true, Why: unknown},
	}, Text: `
global_defs {
	router_id web01
	vrrp_version 3
}
vrrp_script web {
	script "/usr/local/bin/check-web http://127.0.0.1"
	interval 1
	weight -60
}
vrrp_instance web {
	state BACKUP
	priority 150
	interface eth0
	virtual_router_id 50
	advert_int 1
	virtual_ipaddress {
		192.168.200.254/24
	}
	track_script {
		web
	}
	notify_master "/etc/keepalived/notify.sh master"
	notify_backup "/etc/keepalived/notify.sh backup"
	notify_fault "/etc/keepalived/notify.sh fault"
	notify_stop "/etc/keepalived/notify.sh stop"
	notify		"/etc/keepalived/notify.sh"
}
`},
}

// dns is a pair of name servers that are realservers of themselves.
var dns = Case{
	Name: "name servers", Masters: 1, Addresses: []string{"eth0 192.168.0.7/24"},
	Servers: []string{"tcp 192.168.0.101:53", "tcp 192.168.0.102:53"},
	Dead:    []string{"tcp 192.168.0.102:53"}, Gone: []string{"192.168.0.102"},
	Text: `
vrrp_instance names {
        interface eth0
        state BACKUP
        virtual_router_id 100
        priority 100
        authentication {
                auth_type PASS
                auth_pass  secret
        }
        virtual_ipaddress {
                192.168.0.100/24 dev eth0
        }
}
virtual_server 192.168.0.100 53 {
  delay_loop 6
  lb_algo wlc
  protocol TCP
  real_server 192.168.0.101 53 {
    weight 100
    TCP_CHECK {
      connect_timeout 6
    }
  }
  real_server 192.168.0.102 53 {
    weight 100
    TCP_CHECK {
      connect_timeout 6
    }
  }
}
`}
