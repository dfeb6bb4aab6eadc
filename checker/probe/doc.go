// Package probe holds the kinds of health check: one file for each kind.
//
// A kind has a settings type, which implements [Settings]. The settings are
// plain data: strings, numbers and booleans that reflect.DeepEqual compares.
// Two checks with equal settings and an equal [Target] can share one probe.
// [Settings.Validate] finds every fault before the settings are used, and
// [Tools.Prober] makes the [Prober] that asks the server.
//
// To add a kind, write its file and add its default settings to the table
// kinds in probe.go. The keys of the configuration file are in package conf,
// also in one file for each kind.
//
// Package conf links this package, so no file here imports a large client
// library (SQL, LDAP). A kind that needs one keeps its settings here and its
// client in a package of its own, checker/probe/<kind>. The client connects by
// a [Dialer], so that one deadline and one bound hold for all that the library
// does. Package checker/probe/clients lists the clients, and the daemon hands
// them over in [Tools.Clients]. A kind that runs programs declares here the
// interface of the runner that it needs, as a field of [Tools], and the director
// sets that field.
//
// The error of a probe is the reason that people read in status and logs. It
// names the step that failed, then what went wrong: "connect: connection
// refused", "HTTP 503 Service Unavailable, want 200". It leaves out the
// server's address, because status and logs show that beside it.
package probe
