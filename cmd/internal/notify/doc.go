// Package notify tells scripts what became of virtual routers, groups,
// services and realservers.
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
// # How a script is called
//
// Without a shell, in the directory /, with standard input from /dev/null, in a
// process group of its own, with the configured arguments followed by
//
//	INSTANCE|GROUP name MASTER|BACKUP|FAULT|STOP priority
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
