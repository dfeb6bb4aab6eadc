package mon

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"holdfast/conf/convert"
	"holdfast/conf/convert/converttest"
)

// What mon 1.3.6 knows at the top of the file, of a service and of a period.
const (
	theirGlobals = `alertdir authfile authtype basedir cfbasedir clientallow cltimeout dep_behavior dep_memory dep_recur_limit dtlogfile dtlogging
		exclude_period histlength historicfile historictime logdir maxprocs mondir monerrfile monremote pamservice pidfile randstart serverbind
		serverport startupalerts_on_reset statedir syslog_facility trapbind trapport unack_summary userfile`
	theirServices = `alertdepend allow_empty_group dep_behavior dep_memory depend description exclude_hosts exclude_period failure_interval
		hostdepend interval monitor monitordepend period randskew redistribute service trapduration traptimeout unack_summary`
	theirPeriods = `ackalert alert alertafter alertevery alertexitrange alerts_dont_count disablealert no_comp_alerts numalerts startupalert upalert
		upalertafter`
)

// What the documentation says of a directive is what becomes of it.
func TestRows(t *testing.T) {
	for _, known := range []struct {
		theirs string
		ours   []string
	}{
		{theirGlobals, slices.Collect(maps.Keys(globalDirectives))},
		{theirServices, append(slices.Collect(maps.Keys(serviceDirectives)), "service", "period")},
		{theirPeriods, slices.Collect(maps.Keys(periodDirectives))},
	} {
		if want := strings.Fields(known.theirs); !slices.Equal(slices.Sorted(slices.Values(known.ours)), slices.Sorted(slices.Values(want))) {
			t.Errorf("the converter knows %q\nmon knows %q", slices.Sorted(slices.Values(known.ours)), want)
		}
	}
	const others = "watch a\n service x\n  interval 1m\n  monitor m\n\nwatch b\n service x\n  interval 1m\n  monitor m\n\n"
	const service = "  interval 10s\n  monitor http.monitor\n"
	mon := func(text string) []convert.File { return []convert.File{{Name: "mon.cf", Text: text}} }
	auth := "trap section\n10.0.0.7 * *\n"
	converttest.Rows(t, Convert, "../../../docs/convert-mon.md", "testdata/rows.txt", []converttest.Table{
		{Title: "At the top of the file", Known: strings.Fields(theirGlobals), Files: func(lines string) []convert.File {
			return append(mon(lines+"\nwatch www\n service ping\n  interval 10s\n  monitor ping.monitor\n service http\n"+service+
				"  depend www:ping\n  period\n   alert mail.alert\n   startupalert mail.alert\n"), convert.File{Name: "auth.cf", Text: auth})
		}},
		{Title: "Definitions", Known: []string{"hostgroup", "watch", "alias", "view"}, Files: func(lines string) []convert.File {
			return mon("watch www\n service http\n" + service + "\n" + lines)
		}},
		{Title: "Of a service", Known: strings.Fields(theirServices), Files: func(lines string) []convert.File {
			return mon("hostgroup www w1 w2\n\n" + others + "watch www\n service ping\n  interval 10s\n  monitor ping.monitor\n service http\n" + service + "  " + lines)
		}},
		{Title: "Of a period", Known: strings.Fields(theirPeriods), Files: func(lines string) []convert.File {
			return mon("watch www\n service http\n" + service + "  period\n   alert mail.alert\n   " + lines)
		}},
		{Title: "auth.cf", Known: []string{"command section", "trap section"}, Files: func(lines string) []convert.File {
			return append(mon("watch www\n service http\n"+service), convert.File{Name: "auth.cf", Text: lines})
		}},
	})
}
