// Package ldirectord converts ldirectord.cf. It reads the file as ldirectord 4.12
// does, with its regular expressions that look at a part of a value only, and says
// where that is not what the author meant.
//
//	parse.go     lines to directives and blocks
//	option.go    the directives of a virtual service
//	real.go      real= and fallback=
//	global.go    the directives at the top
//	resolve.go   hosts and ports by name
//	service.go   a virtual service to [[service]]
//	check.go     its check
//	mail.go      emailalert to [[alert]]
package ldirectord
