// Package mon converts mon.cf and auth.cf. It reads them as mon 1.3.6 does, line by
// line, and says where that is not what the author meant. m4 is not run.
//
//	parse.go      lines, joined lines and comments
//	read.go       hostgroups, watches, services and periods
//	global.go     variables at the top
//	directive.go  the directives of services and of periods
//	value.go      times and quoted words
//	auth.go       auth.cf
//	convert.go    to [[service]]
//	alert.go      periods to [[alert]]
//	depend.go     dependencies
package mon
