// Package resource starts and stops what runs where a group is MASTER: units of
// systemd, init scripts, agents of the Open Cluster Framework, and programs.
//
// A [Chain] is the ordered list of resources of one group. It decides and does
// nothing: Step takes what happened and returns the one job that is to run next. It is
// driven by what is wanted now, a [Wish], not by a queue of wishes: a group that
// becomes MASTER and BACKUP and MASTER again while one resource stops has that
// resource started again, and nothing else happens. At any time one job runs at most,
// so that a start and a stop never overlap.
//
// A [Runner] does one job of one resource: runner_systemd.go, runner_lsb.go,
// runner_ocf.go and runner_command.go say which program that is. [Run] runs it within
// its time, in a process group of its own.
package resource
