// Package watch shows the status of a director on a terminal, and keeps it up to date.
//
// model.go is what is shown and what keys do to it; view.go makes text of it. Both are
// pure. run.go connects them with the terminal and the daemon.
package watch
