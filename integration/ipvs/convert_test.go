package ipvs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/lab"
)

// The table that holdfast makes from a converted `ipvsadm -Sn` is the table that
// ipvsadm printed.
func TestConvertedTableIsTheSame(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	const rules = `-A -t 10.0.0.100:80 -s wlc
-a -t 10.0.0.100:80 -r 192.168.0.11:80 -m -w 5
-a -t 10.0.0.100:80 -r 192.168.0.12:8080 -m -w 0
-A -t 10.0.0.100:443 -s wrr -p 300 -M 255.255.255.0
-a -t 10.0.0.100:443 -r 192.168.0.11 -g
-A -t [2001:db8::100]:80 -s mh -b mh-fallback,mh-port
-a -t [2001:db8::100]:80 -r [2001:db8::11]:80 -m
-A -u 10.0.0.100:53 -s rr -o
-a -u 10.0.0.100:53 -r 192.168.0.11:53 -m
-A -u 10.0.0.100:5060 -s rr -p 60 --pe sip
-a -u 10.0.0.100:5060 -r 192.168.0.11:5060 -m
-A --sctp-service 10.0.0.100:9 -s sh -b sh-fallback,sh-port
-a --sctp-service 10.0.0.100:9 -r 192.168.0.11:9 -m
-A -f 7 -s rr -p
-a -f 7 -r 203.0.113.11 -i
-a -f 7 -r 203.0.113.12 -i --tun-type gue --tun-port 5555
-A -f 8 -6
-a -f 8 -6 -r [2001:db8::11]:0 -g
`
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	script := write("rules", rules)
	for line := range strings.Lines(rules) {
		host.Run("ipvsadm", strings.Fields(line)...)
	}
	printed := host.Run("ipvsadm", "-Sn")
	host.Run("ipvsadm", "-C")

	daemon := host.NewDaemon("")
	// Both what ipvsadm printed and what it was told are converted.
	for _, file := range []string{write("printed", printed), script} {
		toml, report, err := daemon.CLI("convert", "--from", "ipvsadm", file)
		if err != nil {
			t.Fatalf("convert: %v\n%s", err, report)
		}
		daemon.Configure(toml)
		daemon.Restart()
		lab.Wait(t, 20*time.Second, "the table of the converted configuration", func() (string, bool) {
			diff := cmp.Diff(sorted(printed), sorted(host.Run("ipvsadm", "-Sn")))
			return diff, diff == ""
		})
		if status := daemon.Stop(); status != 0 {
			t.Errorf("exit status %d", status)
		}
	}
}

func sorted(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return lines
}

// The table that holdfast makes from a converted keepalived.conf is the one that
// keepalived made: also where keepalived did not do what the file seems to say.
func TestConvertedKeepalivedTableIsTheSame(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	const config = `virtual_server 10.0.0.100 80 {
	delay_loop 2
	warmup 0
	retry 0
	lb_algo wrr
	lb_kind NAT
	protocol TCP
	persistence_timeout 300
	persistence_granularity 255.255.255.0
	sorry_server 192.168.0.12 8080
	real_server 192.168.0.11 80 {
		weight 5
		TCP_CHECK {
			connect_timeout 1
		}
	}
}
virtual_server 10.0.0.100 443 {
	lvs_sched sh
	sh-port
	lvs_method DR
	protocol TCP
	real_server 192.168.0.11 443 {
		weight 3
		uthreshold 100
		lthreshold 50
	}
	real_server 192.168.0.12 443 {
		weight 0
	}
}
virtual_server 10.0.0.100 53 {
	lb_kind dr
	lb_algo RR
	ops
	real_server 192.168.0.11 53 {
	}
}
virtual_server fwmark 7 {
	lb_algo wlc
	lb_kind TUN
	persistence_timeout
	real_server 203.0.113.11 {
		weight 2
	}
}
virtual_server_group shops {
	10.0.0.110-112 80
	10.0.0.120 8080
}
virtual_server group shops {
	lb_algo rr
	protocol TCP
	real_server 192.168.0.12 80 {
		weight 1
	}
}
virtual_server 10.0.0.130 25 {
	delay_loop 2
	warmup 0
	retry 0
	inhibit_on_failure
	protocol TCP
	real_server 192.168.0.11 25 {
		weight 4
		TCP_CHECK {
			connect_timeout 1
		}
	}
	real_server 192.168.0.12 25 {
		weight 6
	}
}
`
	keepalived := host.KeepalivedBFD(config)
	want := ""
	lab.Wait(t, 60*time.Second, "the table of keepalived", func() (string, bool) {
		want = host.Run("ipvsadm", "-Sn")
		return want, strings.Contains(want, "192.168.0.12:8080") && strings.Contains(want, "192.168.0.11:25 -m -w 0")
	})
	keepalived.Stop()
	host.Run("ipvsadm", "-C")

	dir := t.TempDir()
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := host.NewDaemon("")
	toml, report, _ := daemon.CLI("convert", conf) // the report says what was probably meant otherwise
	if !strings.Contains(report, "probably DR was meant") || !strings.Contains(report, "which means UDP in keepalived") {
		t.Errorf("the report:\n%s", report)
	}
	daemon.Configure(toml)
	daemon.Restart()
	lab.Wait(t, 60*time.Second, "the table of the converted configuration", func() (string, bool) {
		diff := cmp.Diff(sorted(want), sorted(host.Run("ipvsadm", "-Sn")))
		return diff, diff == ""
	})
	if status := daemon.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
