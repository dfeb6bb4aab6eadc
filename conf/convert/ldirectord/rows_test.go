package ldirectord

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"holdfast/conf/convert"
	"holdfast/conf/convert/converttest"
)

// What ldirectord 4.12 knows at the top of the file, and of a virtual service.
const (
	theirGlobals = `autoreload callback checkcount checkinterval checktimeout cleanstop emailalert emailalertfreq emailalertfrom emailalertstatus
		execute failurecount fallback fallback6 fallbackcommand fork logfile maintenancedir negotiatetimeout quiescent readdquiescent smtp
		supervised`
	theirOptions = `checkcommand checkcount checkinterval checkport checktimeout checktype cleanstop comment database emailalert emailalertfreq
		emailalertstatus failurecount fallback fallback6 fallbackcommand httpmethod load login monitorfile negotiatetimeout netmask ops passwd
		persistent protocol quiescent real real6 receive request schedflags scheduler secret service servicename smtp virtualhost`
)

// What the documentation says of a directive is what becomes of it.
func TestRows(t *testing.T) {
	for theirs, ours := range map[string][]string{theirGlobals: slices.Collect(maps.Keys(globalDirectives)), theirOptions: slices.Collect(maps.Keys(options))} {
		if want := strings.Fields(theirs); !slices.Equal(slices.Sorted(slices.Values(ours)), slices.Sorted(slices.Values(want))) {
			t.Errorf("the converter knows %q\nldirectord knows %q", slices.Sorted(slices.Values(ours)), want)
		}
	}
	file := func(text string) []convert.File { return []convert.File{{Name: "ldirectord.cf", Text: text}} }
	converttest.Rows(t, Convert, "../../../docs/convert-ldirectord.md", "testdata/rows.txt", []converttest.Table{
		{Title: "At the top of the file", Known: strings.Fields(theirGlobals), Files: func(lines string) []convert.File {
			return file(lines + "virtual=10.0.0.100:80\n\treal=192.168.0.1:80 masq\n\nvirtual=10.0.0.100:22\n\treal=192.168.0.1:22 masq\n\tchecktype=ping\n\n" +
				"virtual6=[2001:db8::7]:80\n\treal6=[2001:db8::8]:80 masq\n")
		}},
		{Title: "Of a virtual service", Known: append(strings.Fields(theirOptions), "virtual", "virtual6"), Files: func(lines string) []convert.File {
			return file("virtual=10.0.0.100:8080\n\treal=192.168.0.1:8080 masq\n" + lines)
		}},
	})
}
