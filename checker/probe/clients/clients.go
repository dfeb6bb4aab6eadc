// Package clients holds the clients of the kinds of check that need a large library.
// Package probe knows their settings only, because package conf links it.
package clients

import (
	"holdfast/checker/probe"
	"holdfast/checker/probe/ldap"
	"holdfast/checker/probe/mysql"
	"holdfast/checker/probe/postgresql"
)

// All makes the Probers of those kinds, for probe.Tools. A kind is one line.
var All = map[string]func(probe.Settings, probe.Target) probe.Prober{
	"ldap":       ldap.New,
	"ldaps":      ldap.New,
	"mysql":      mysql.New,
	"postgresql": postgresql.New,
}
