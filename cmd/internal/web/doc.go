// Package web serves the status page: what the director and its peers do, in a
// browser.
//
//	GET /               the page
//	GET /page/...       its script, style sheet and icon
//	GET /page/stream    the state of the director as server-sent events
//	GET /page/summary   a Summary: the state in brief, for the pages of peers
//
// Everything is read-only. The page needs nothing from other hosts: the daemon itself
// asks the peers. While nobody looks at the page, nothing is gathered and no peer is
// asked.
//
// The stream begins with an event of type state, which holds everything. Events of
// type delta follow: the rows that have changed since the event before. The last
// event is of type bye, if the daemon stops or is upgraded while the page is open.
// The format belongs to the page and changes with it. Programs use the control socket.
package web
