// Package alert decides which changes become alerts, and when. It is pure: events and
// the time come in, notices go out.
//
// A [Rule] is one [[alert]] of the configuration. For each subject that fails, a rule
// has a problem, from the failure to the recovery:
//
//	failure ⇒ after, within, hold ⇒ gather ⇒ notice ⇒ every, limit ⇒ notice …
//	recovery ⇒ gather ⇒ notice, if there was one of the failure
//
// What becomes due within the gather time of a rule goes into one notice, so that a
// thousand servers that die together make one message. A problem that somebody has
// acknowledged makes no more notices until it is over. The notion comes from mon,
// with its alertafter, alertevery, numalerts, upalert and period.
package alert
