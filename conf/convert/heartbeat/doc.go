// Package heartbeat converts ha.cf, haresources and authkeys of heartbeat version 1.
// They are given together and in any order, and known by their names or content.
//
//	parse.go      lines to words, and which file is which
//	hacf.go       the directives of ha.cf
//	resources.go  the lines of haresources
//	authkeys.go   authkeys
//	convert.go    to [[vrrp]]
package heartbeat
