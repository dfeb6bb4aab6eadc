// Package notify reports events to the outside: to scripts, named pipes, mail
// recipients and HTTP servers.
//
// # Sinks
//
// Every receiver that is not a script is a [Sink] over a [Transport]: a [FIFO], a
// [Mail] or a [Webhook]. A sink delivers events in order, in its own goroutine,
// and never blocks the caller. It queues what it cannot deliver and retries with
// growing pauses. When the queue is full, the sink drops the oldest event. It logs
// the first failure in a row and the recovery; the status shows what happens in
// between.
//
// # What a script can rely on
//
// The scripts of one subject (an instance, a group, a service or a realserver) run
// one at a time, in the order of the events. Scripts of different subjects run in
// parallel, up to Options.Parallel at a time.
//
// An event that arrives while its subject's script runs has to wait. If a later
// event arrives before the script ends, it replaces the waiting one, and the log
// names the skipped state. A slow script may therefore miss intermediate states,
// but never the last one. A script runs again for a state that was left and
// entered again, even if the state in between was skipped: another director may
// have been MASTER meanwhile. A script runs once for a state that is reported
// twice in a row. A state without a script does not replace a waiting one.
//
// RIVAL, RIVAL_GONE, PRIORITY and DELETED are moments, not states. A moment
// replaces only a waiting moment of the same kind, never a state. Moments and
// states run in the order in which they arrived.
//
// # How a script is called
//
// A script runs without a shell, in the directory /, with standard input from
// /dev/null and in its own process group. It gets the configured arguments,
// followed by
//
//	INSTANCE|GROUP name MASTER|BACKUP|FAULT|STOP|DELETED priority
//	INSTANCE name RIVAL|RIVAL_GONE|PRIORITY priority
//	SERVER service/server UP|DOWN weight
//	SERVICE service UP|DOWN servers-up
//
// Its environment has only PATH, LANG and the HOLDFAST_* variables that
// call.environ lists. Its output is logged line by line, up to a bound. A process
// that the script leaves in the background should redirect its output, because the
// pipe is closed shortly after the script has ended.
//
// When a script exceeds its timeout, its process group gets SIGTERM and, after
// Options.Grace, SIGKILL. Background processes of a script that ended by itself
// are not killed.
//
// # When the binary is replaced
//
// A [Notifier] that pauses leaves its scripts to that of the next binary in the same
// process: those that run, whose exit status and output the next one takes, and those that
// wait ([Notifier.Leave]). A [Sink] that rests leaves what waits ([Sink.Leave]).
package notify
