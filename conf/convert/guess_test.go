package convert

import "testing"

func TestGuess(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"! a comment\nglobal_defs {\n}\n", "keepalived"},
		{"  vrrp_instance VI_1\n{\n", "keepalived"},
		{"@lvs1 vrrp_instance VI_1 {\n", "keepalived"},
		{"virtual_server 10.0.0.1 80 {\n", "keepalived"},
		{"virtual_server_group web {\n", "keepalived"},
		{"-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m\n", "ipvsadm"},
		{"#!/bin/sh\n/sbin/ipvsadm -A -f 7\n", "ipvsadm"},
		{"checktimeout=3\nvirtual=10.0.0.1:80\n\treal=10.0.0.2:80 gate\n", "ldirectord"},
		{"hostgroup web www1 www2\nwatch web\n  service http\n", "mon"},
		{"command section\nlist: all\n", "mon"},
		{"\tdefine(_www,www1)\nwatch www\n\tservice http\n", "mon"},
		{"keepalive 2\ndeadtime 30\nnode a b\n", "heartbeat"},
		{"auth 1\n1 sha1 x\n", "heartbeat"},
		{"[[vrrp]]\nname = \"a\"\n", ""},
		{"", ""},
	} {
		if got := Guess([]File{{"f", tt.text}}); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
	if got := Guess([]File{{"a", "global_defs {\n"}, {"b", "deadtime 30\n"}}); got != "" {
		t.Errorf("files of two programs: %q", got)
	}
	if got := Guess([]File{{"a", "lvs1 10.0.0.1\n"}, {"b", "deadtime 30\n"}}); got != "heartbeat" {
		t.Errorf("a file without a sign: %q", got)
	}
}
