package heartbeat

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"holdfast/conf/convert"
	"holdfast/conf/convert/converttest"
)

// theirs are the directives of ha.cf in heartbeat 3.0.6: its table of them, and its kinds
// of media.
const theirs = `apiauth autojoin auto_failback baud bcast cluster compression compression_threshold conn_logd_time coredumps coreroot crm
	crm_daemon_dir crmd_spawns_pengine deadping deadtime debug debugfile enable_config_writes env failfast hbaping hbgenmethod hopfudge initdead
	keepalive log_badpack logfacility logfile max_rexmit_delay mcast mcast6 memreserve msgfmt nice_failback node pacemaker ping ping6 ping_group
	quorum_server realtime record_config_changes record_pengine_inputs respawn rtprio serial stonith stonith_host syslogmsgfmt
	traditional_compression ucast ucast6 udpport use_apphbd use_logd uuidfrom warntime watchdog`

// What the documentation says of a directive is what becomes of it.
func TestRows(t *testing.T) {
	const hacf, haresources = "node lvs1 lvs2\n", "lvs1 10.0.0.1/24/eth0"
	files := func(hacf, haresources, authkeys string) []convert.File {
		return []convert.File{{Name: "ha.cf", Text: hacf}, {Name: "haresources", Text: haresources + "\n"}, {Name: "authkeys", Text: authkeys}}
	}
	for _, d := range strings.Fields(theirs) {
		if directives[d] == nil {
			t.Errorf("the converter does not know %s", d)
		}
	}
	read := func(in convert.Input, report *convert.Report) *convert.Result {
		in.Read = func(string) ([]byte, error) { return []byte("/dev/ttyS1 lvs2 0\n"), nil }
		return Convert(in, report)
	}
	converttest.Rows(t, read, "../../../docs/convert-heartbeat.md", "testdata/rows.txt", []converttest.Table{
		{Title: "ha.cf", Known: slices.Collect(maps.Keys(directives)), Files: func(lines string) []convert.File {
			return files(lines, haresources, "")
		}},
		{Title: "haresources", Known: slices.Concat(slices.Collect(maps.Keys(agents)), []string{
			"ADDRESS", "IPaddr", "IPaddr2", "IPv6addr", "SendArp", "IPsrcaddr", "Delay", "ldirectord", "SCRIPT", "SCRIPT::ARGUMENTS",
		}), Files: func(lines string) []convert.File { return files(hacf, haresources+" "+strings.TrimSpace(lines), "") }},
		{Title: "authkeys", Known: []string{"crc", "md5", "sha1"}, Files: func(lines string) []convert.File { return files(hacf, haresources, lines) }},
	})
}
