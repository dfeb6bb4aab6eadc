package notify

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// monCalls returns a call for each service of an alert. mon's group is the service,
// its hosts are the servers. What has no servers is a group of its own name.
func monCalls(e *event.Event) []alertCall {
	var calls []alertCall
	if e.Alert.Call == callStartup || e.Alert.Call == callAck {
		for i := range e.Alert.Down {
			calls = append(calls, monOtherCall(e, &e.Alert.Down[i]))
		}
		return calls
	}
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
	alertType, flag := "failure", ""
	if up {
		alertType, flag = "up", "-u"
	}
	return alertCall{
		args: monArguments(service, group, summary, at, flag),
		env: []string{
			"MON_GROUP=" + group, "MON_SERVICE=" + service, "MON_LAST_SUMMARY=" + summary, "MON_LAST_OUTPUT=" + detail,
			"MON_FIRST_FAILURE=" + unixSeconds(first), "MON_LAST_FAILURE=" + unixSeconds(at),
			"MON_RETVAL=1", "MON_ALERTTYPE=" + alertType,
		},
		stdin: summary + "\n" + detail,
		up:    up,
	}
}

// The values of mon's _op_status.
const (
	statusFail     = "0" // $STAT_FAIL
	statusOK       = "1" // $STAT_OK
	statusUntested = "7" // $STAT_UNTESTED
)

// monRunCall returns the call for a run of a monitor, as mon makes it (call_alert).
func monRunCall(entry *event.AlertEntry, at time.Time, up bool) alertCall {
	run := entry.Run
	opStatus, status := statusFail, run.Status
	if up {
		opStatus, status = statusOK, 0
	}
	alertType, flag := "failure", ""
	switch {
	case up:
		alertType, flag = "up", "-u"
	case run.Source == "trap":
		alertType, flag = run.Source, "-T"
	case run.Source == "traptimeout":
		alertType, flag = run.Source, "-O"
	}
	c := monServiceCall(entry, at, flag, alertType, opStatus)
	c.env = slices.Concat([]string{"MON_RETVAL=" + strconv.Itoa(status)}, c.env)
	if run.Intended != "" {
		c.env = slices.Concat([]string{"MON_TRAP_INTENDED=" + withoutNUL(run.Intended)}, c.env)
	}
	c.stdin, c.up = run.Output, up
	return c
}

// monServiceCall returns what all calls about the monitor of a service have in common.
// What is not known has no variable.
func monServiceCall(entry *event.AlertEntry, at time.Time, flag, alertType, opStatus string) alertCall {
	run := entry.Run
	group, service := monName(entry.Subject, entry.Kind)
	env := []string{
		"MON_LAST_FAILURE=" + unixSeconds(run.LastFailure), "MON_FIRST_SUCCESS=", "MON_LAST_SUCCESS=" + unixSeconds(run.LastSuccess),
		"MON_GROUP=" + group, "MON_SERVICE=" + service, "MON_OPSTATUS=" + opStatus, "MON_ALERTTYPE=" + alertType,
		"MON_STATEDIR=/var/lib/mon", "MON_LOGDIR=/var/log/mon", "MON_CFBASEDIR=/etc/mon",
	}
	if !run.First {
		env = append(env, "MON_FIRST_FAILURE="+unixSeconds(run.FirstFailure))
		if run.Summary != "" {
			env = append(env, "MON_LAST_SUMMARY="+withoutNUL(run.Summary))
		}
	}
	if run.Before != nil {
		env = append(env, "MON_LAST_OUTPUT="+withoutNUL(*run.Before))
	}
	return alertCall{
		args: monArguments(service, group, strings.Join(run.Hosts, " "), at, flag),
		env:  append(env, run.Environment...),
	}
}

// monOtherCall returns the call for the start of the daemon, or for an acknowledgement.
// mon calls one for each service, with "USER: COMMENT" of the latter on standard input.
func monOtherCall(e *event.Event, entry *event.AlertEntry) alertCall {
	known := *entry
	if known.Run == nil { // no monitor of mon asks for it
		known.Run = &event.Run{Summary: oneLine(entry.Reason), FirstFailure: entry.Since, LastFailure: e.At}
	}
	if e.Alert.Call == callStartup {
		c := monServiceCall(&known, e.At, "", callStartup, statusUntested)
		c.env = slices.Concat([]string{"MON_RETVAL=0"}, c.env)
		c.call = callStartup
		return c
	}
	run := *known.Run
	run.Before = &run.Output // the run that was acknowledged is over
	known.Run = &run
	c := monServiceCall(&known, e.At, "-a", callAck, statusFail)
	c.stdin = e.Alert.By + ": " + e.Alert.Comment
	c.env = slices.Concat([]string{"MON_ACK=" + withoutNUL(c.stdin)}, c.env)
	c.call = callAck
	return c
}

// monArguments returns the arguments of an alert; flag is "" for a failure.
func monArguments(service, group, hosts string, at time.Time, flag string) []string {
	args := []string{"-s", service, "-g", group, "-h", hosts, "-t", strconv.FormatInt(at.Unix(), 10)}
	if flag != "" {
		args = append(args, flag)
	}
	return args
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
