package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/conf"
)

// directives are what a user of another program may have in its files, as its parser
// or its manual has them (ldirectord 4.12, mon 1.3.6, keepalived 2.3: checkers only).
var directives = map[string]string{
	"ldirectord": `autoreload callback checkcommand checkcount checkinterval checkport checktimeout checktype cleanstop
		comment connecttimeout database emailalert emailalertfreq emailalertfrom emailalertstatus execute failurecount
		fallback fallback6 fallbackcommand fork httpmethod load logfile login maintenancedir monitorfile negotiatetimeout
		netmask ops passwd persistent protocol quiescent readdquiescent real real6 receive request schedflags scheduler
		secret service servicename smtp supervised timeout virtual virtual6 virtualhost`,
	"mon": `ackalert alert alertafter alertdir alertevery alertexitrange allow_empty_group authfile authtype basedir cfbasedir cltimeout comp_alerts
		dep_behavior depend description disablealert dtlogfile dtlogging exclude_hosts exclude_period failure_interval histlength
		historicfile historictime hostdepend hostgroup interval logdir maxprocs mondir monitor monitordepend numalerts
		pamservice period pidfile randskew randstart redistribute serverbind serverport service startupalert startupalerts_on_reset statedir
		syslog_facility trap trapbind trapduration trapport traptimeout unack_summary upalert upalertafter userfile watch`,
	"keepalived": `alpha bind_if bind_port bindto BFD_CHECK connect_ip connect_port connect_timeout delay_before_retry
		delay_loop digest DNS_CHECK dynamic enable_sni fast_recovery FILE_CHECK fwmark ha_suspend helo_name HTTP_GET
		http_protocol hysteresis inhibit_on_failure log_all_failures max_reply_length min_reply_length MISC_CHECK
		misc_dynamic misc_path misc_timeout name notify_down notify_up omega path payload PING_CHECK quorum quorum_down
		quorum_up regex regex_max_offset regex_min_offset regex_no_match regex_options regex_stack require_reply retry
		reverse SMTP_CHECK smtp_alert sorry_server sorry_server_inhibit sorry_server_lvs_method SSL_GET status_code
		TCP_CHECK track_file type UDP_CHECK url user virtualhost warmup weight`,
}

// quoted are the texts in backticks.
var quoted = regexp.MustCompile("`([^`]+)`")

// Every directive of the other programs has a row. Every key that a row names is in the
// reference, and tests that exist exercise it, at least one of them with a real server.
func TestDirectives(t *testing.T) {
	page, known := pages(t)["docs/check-directives.md"], testNames(t)
	for _, section := range strings.Split(page, "\n## ")[1:] {
		program, text, _ := strings.Cut(section, "\n")
		var shown []string
		for line := range strings.Lines(text) {
			cells := strings.Split(line, "|")
			if len(cells) != 5 || strings.HasPrefix(cells[1], "---") {
				continue
			}
			for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
				word, _, _ := strings.Cut(m[1], " ")
				shown = append(shown, word)
			}
			checkTests(t, known, program+": the row"+cells[1], cells[2], cells[3])
			for _, m := range quoted.FindAllStringSubmatch(cells[2], -1) {
				if !isKey(m[1]) {
					t.Errorf("%s: the row%s names %s, which the reference does not have", program, cells[1], m[1])
				}
			}
		}
		for _, d := range strings.Fields(directives[program]) {
			if !slices.Contains(shown, d) {
				t.Errorf("%s: no row has %s", program, d)
			}
		}
	}
	if n := strings.Count(page, "\n## "); n != len(directives) {
		t.Errorf("%d sections, want %d", n, len(directives))
	}
}

// checkTests reports a row with a key that no test exercises.
func checkTests(t *testing.T, known map[string]bool, row, key, tests string) {
	t.Helper()
	named := quoted.FindAllStringSubmatch(tests, -1)
	if len(named) == 0 && !strings.HasPrefix(strings.TrimSpace(key), "None") && strings.TrimSpace(key) != "key" {
		t.Errorf("%s names no test", row)
	}
	withReal := false
	for _, m := range named {
		real, exists := known[m[1]]
		withReal = withReal || real
		if !exists {
			t.Errorf("%s names the test %s, which does not exist", row, m[1])
		}
	}
	if len(named) > 0 && !withReal {
		t.Errorf("%s names no test that runs against a real server, program or kernel", row)
	}
}

// realPeers are the folders and files with tests against real servers, programs and
// kernels.
var realPeers = []string{"../integration/", "../lvs/ipvs/kernel", "../cmd/internal/checktools/real_test.go"}

// testNames returns the names of all tests of the module, and whether they have a real
// peer.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			rest, isFunction := strings.CutPrefix(line, "func Test")
			if name, _, isTest := strings.Cut(rest, "(t *testing.T)"); isFunction && isTest {
				names["Test"+name] = names["Test"+name] || slices.ContainsFunc(realPeers, func(place string) bool { return strings.HasPrefix(path, place) })
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// isKey reports whether a text is a table or a key of the reference, or a command.
func isKey(text string) bool {
	if strings.HasPrefix(text, "holdfast ") {
		return true // the pages of commands are held to the source elsewhere
	}
	if strings.HasPrefix(text, "[") {
		return strings.Contains(conf.Reference, "\n"+text)
	}
	key, _, _ := strings.Cut(text, " ")
	return regexp.MustCompile(`(?m)(^#?|[{,] )` + regexp.QuoteMeta(key) + ` +=|^#?` + regexp.QuoteMeta(key) + ` *=`).MatchString(conf.Reference)
}
