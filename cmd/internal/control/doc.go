// Package control is how the running daemon is asked and told: HTTP with JSON
// over a unix socket, both ends of it, and the values that travel.
//
//	GET  /v1/version                   VersionInfo
//	GET  /v1/status                    Status
//	GET  /v1/events?since=SEQ&follow=1 one Event per line; with follow the answer does not end
//	GET  /v1/plan                      Plan: what a reload would change now
//	POST /v1/handover?name=            HandedOver, when another router is MASTER
//	POST /v1/upgrade                   Upgrading, just before the binary is replaced
//	POST /v1/reload                    Reloaded, or why nothing was changed
//
// Events that are followed end with the daemon, or go on after an upgrade: then the
// trailer Holdfast-Returns follows them, and who asks again from the last seq, until
// somebody answers, misses nothing.
//
// An error is {"error": "..."} with a status of 400 or above. Whoever may open
// the socket (root and its group) may read; root and the daemon's own user may
// write. A verb that changes something answers when it is done.
//
// The values are versioned by the path and by Status.Version: fields are added
// to a version, never renamed or given another meaning. States are spelled as
// the protocol's documents do (INIT, BACKUP, MASTER, FAULT), times are RFC 3339
// with nanoseconds, durations are numbers with the unit in the key.
package control
