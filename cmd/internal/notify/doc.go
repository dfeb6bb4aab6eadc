// Package notify tells scripts what became of virtual routers, groups,
// services and realservers, and named pipes, mail and HTTP servers of whatever
// the journal has.
//
// # Sinks
//
// Whatever is no script is a [Sink] over a [Transport]: a [FIFO], a [Mail] or a
// [Webhook]. A sink delivers in order, in a goroutine of its own. It never makes
// anybody wait: what cannot be delivered waits, up to a bound, and is tried again
// with growing pauses; then the oldest gives way. A streak of failures is logged
// once, when it begins, and once when it ends; in between the status tells.
//
// # What a script can rely on
//
// For one subject (an instance, a group, a service, a realserver) scripts run
// one after the other, in the order of the events, and never beside themselves.
// Different subjects run in parallel, up to Options.Parallel at a time.
//
// An event that arrives while its subject's script still runs waits; a later
// one takes its place, and the log says which state was skipped. So a slow
// script may miss states that are over, but the last script that runs is always
// the one that would have been last had every script been instant. That is also
// why a state which was left and entered again is told again even when the
// state between was skipped: another director may have acted meanwhile.
// A state reported twice in a row is told once. A state that has no script
// takes nobody's place.
//
// A moment (RIVAL, RIVAL_GONE, PRIORITY, DELETED) is no state: it takes the place
// of an earlier one of its own kind only, never that of a state, and runs in the
// order in which it came.
//
// # How a script is called
//
// Without a shell, in the directory /, with standard input from /dev/null, in a
// process group of its own, with the configured arguments followed by
//
//	INSTANCE|GROUP name MASTER|BACKUP|FAULT|STOP|DELETED priority
//	INSTANCE name RIVAL|RIVAL_GONE|PRIORITY priority
//	SERVER service/server UP|DOWN weight
//	SERVICE service UP|DOWN servers-up
//
// and with an environment of PATH and HOLDFAST_* variables alone; Event.Environ
// lists them. What it prints is logged line by line, up to a bound; whatever
// outlives it should redirect its output, for the pipe is closed shortly after
// the script has ended.
//
// A script that takes longer than its timeout gets SIGTERM, and SIGKILL after a
// grace, with its whole process group. What it left running in the background
// when it ended by itself is let alone.
package notify
