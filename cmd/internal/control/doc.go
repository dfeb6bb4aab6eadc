// Package control has the server and the client of the control socket: HTTP with
// JSON over a unix socket.
//
//	GET  /v1/version                   VersionInfo
//	GET  /v1/status                    status.Status
//	GET  /v1/events?since=SEQ&follow=1 one event.Event per line; with follow the answer does not end
//	GET  /v1/plan                      Plan: what a reload would change now
//	POST /v1/ack?subject=&by=&comment= Acked
//	POST /v1/handover?name=            HandedOver, once another router is MASTER
//	POST /v1/upgrade                   Upgrading, just before the binary is replaced
//	POST /v1/reload                    Reloaded, or why nothing was changed
//
// A stream of events that a client follows ends when the daemon stops. When the
// daemon is upgraded, the stream ends with the trailer Holdfast-Returns: the client
// asks again from the last seq until the new binary answers, and misses nothing.
//
// An error is {"error": "..."} with an HTTP status of 400 or above. Root and the
// group of the socket may read. Only root and the daemon's own user may use the
// POST requests. A POST request is answered when the change is done.
//
// The values are versioned by the path and by Status.Version: a version gets new
// fields, but no field of it is renamed or gets another meaning. States are spelled
// as in RFC 9568 (INIT, BACKUP, MASTER) and FAULT, times are RFC 3339 with
// nanoseconds, durations are numbers with the unit in the key.
package control
