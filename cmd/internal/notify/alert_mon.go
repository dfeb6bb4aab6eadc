package notify

import (
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// monCalls returns a call for each service of an alert. mon's group is the service,
// its hosts are the servers. What has no servers is a group of its own name.
func monCalls(e *event.Event) []alertCall {
	var calls []alertCall
	add := func(all []event.AlertEntry, up bool) {
		groups := map[string][]event.AlertEntry{}
		var order []string
		for _, entry := range all {
			if entry.Run != nil {
				calls = append(calls, monRunCall(&entry, e.At, up))
				continue
			}
			group, _, _ := strings.Cut(entry.Subject, "/")
			if groups[group] == nil {
				order = append(order, group)
			}
			groups[group] = append(groups[group], entry)
		}
		for _, group := range order {
			calls = append(calls, monCall(group, groups[group], e.At, up))
		}
	}
	add(e.Alert.Down, false)
	add(e.Alert.Up, true)
	return calls
}

// monName returns group and service of a service that is named GROUP:SERVICE.
// Otherwise the group has the whole name.
func monName(name, otherwise string) (group, service string) {
	if group, service, ok := strings.Cut(name, ":"); ok && group != "" && service != "" {
		return group, service
	}
	return name, otherwise
}

func monCall(name string, all []event.AlertEntry, at time.Time, up bool) alertCall {
	var hosts []string
	detail := ""
	first := all[0].Since
	for _, entry := range all {
		host := entry.Subject
		if _, server, isServer := strings.Cut(entry.Subject, "/"); isServer {
			host = server
		}
		hosts = append(hosts, host)
		detail += host + ": " + oneLine(entry.Reason) + "\n"
		if entry.Since.Before(first) {
			first = entry.Since
		}
	}
	summary := strings.Join(hosts, " ")
	group, service := monName(name, all[0].Kind)
	return alertCall{
		args: monArguments(service, group, summary, at, up),
		env: []string{
			"MON_GROUP=" + group, "MON_SERVICE=" + service, "MON_LAST_SUMMARY=" + summary, "MON_LAST_OUTPUT=" + detail,
			"MON_FIRST_FAILURE=" + unixSeconds(first), "MON_LAST_FAILURE=" + unixSeconds(at),
			"MON_RETVAL=1", "MON_ALERTTYPE=" + monAlertType(up),
		},
		stdin: summary + "\n" + detail,
		up:    up,
	}
}

// monRunCall returns the call for a run of a monitor, as mon makes it (call_alert).
func monRunCall(entry *event.AlertEntry, at time.Time, up bool) alertCall {
	run := entry.Run
	group, service := monName(entry.Subject, entry.Kind)
	opStatus := "0" // $STAT_FAIL
	status := run.Status
	if up {
		opStatus, status = "1", 0 // $STAT_OK
	}
	env := []string{
		"MON_LAST_SUMMARY=" + withoutNUL(run.Summary), "MON_LAST_FAILURE=" + unixSeconds(run.LastFailure), "MON_FIRST_FAILURE=" + unixSeconds(run.FirstFailure),
		"MON_FIRST_SUCCESS=", "MON_LAST_SUCCESS=" + unixSeconds(run.LastSuccess),
		"MON_GROUP=" + group, "MON_SERVICE=" + service, "MON_RETVAL=" + strconv.Itoa(status), "MON_OPSTATUS=" + opStatus,
		"MON_ALERTTYPE=" + monAlertType(up), "MON_STATEDIR=/var/lib/mon", "MON_LOGDIR=/var/log/mon", "MON_CFBASEDIR=/etc/mon",
	}
	if run.Before != nil {
		env = append(env, "MON_LAST_OUTPUT="+withoutNUL(*run.Before))
	}
	return alertCall{
		args:  monArguments(service, group, strings.Join(run.Hosts, " "), at, up),
		env:   append(env, run.Environment...),
		stdin: run.Output,
		up:    up,
	}
}

func monArguments(service, group, hosts string, at time.Time, up bool) []string {
	args := []string{"-s", service, "-g", group, "-h", hosts, "-t", strconv.FormatInt(at.Unix(), 10)}
	if up {
		args = append(args, "-u")
	}
	return args
}

func monAlertType(up bool) string {
	if up {
		return "up"
	}
	return "failure"
}

// withoutNUL returns a text as a variable can have it.
func withoutNUL(text string) string { return strings.ReplaceAll(text, "\x00", "") }

// unixSeconds returns a time as mon writes it: 0 for none.
func unixSeconds(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.Unix(), 10)
}
