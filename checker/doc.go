// Package checker asks realservers whether they are well, on a schedule, and
// reports what changes.
//
// A Set is given Configs, one for each subject (a realserver in a service), and
// calls back with a Change whenever a verdict does. Between the two:
//
//	Config ⇒ question (identical ones shared) ⇒ schedule ⇒ Prober ⇒ health ⇒ Change
//
// One goroutine holds the schedule of all questions. An attempt has a goroutine
// only while it runs, and Options.Limit bounds how many run at once. What an
// attempt found becomes a verdict in health, which is pure.
//
// A probe is one file and one method, Probe(ctx) error. Its error is the reason
// that people read, so it names what was being done, then what went wrong:
// "connect: connection refused", "HTTP 503 Service Unavailable, want 200".
package checker
