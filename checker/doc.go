// Package checker checks realservers on a schedule and reports changes of their
// health.
//
// A Set takes one Config for each subject, which is a realserver in a service. It
// calls Options.OnChange with a Change for each new verdict. On the way are:
//
//	Config ⇒ question ⇒ schedule ⇒ probe.Prober ⇒ health.Health ⇒ Change
//
// Subjects with the same settings and address share one question, so the server
// is asked once for all of them. One goroutine holds the schedule of all
// questions. An attempt has a goroutine only while it runs, and Options.Limit
// bounds how many run at once. Package health turns results into verdicts, and
// package probe holds the kinds of check.
package checker
