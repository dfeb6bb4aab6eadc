// Package sidebyside runs keepalived with a configuration, and holdfast with what
// `holdfast convert` makes of it, in two equal hosts, and compares what they do: devices,
// addresses, routes, rules, adverts, the IPVS table, and the calls of programs with their
// arguments; while the servers answer, when some are dead, when they are back, and after
// the stop.
//
// The configurations are those of Debian's packages, read where install.sh has put them,
// and some of ours. A [Case] names what the two hosts need for one of them, and every
// difference that stays, with its reason: a difference that no case names fails the test,
// and so does one that is named and not seen.
package sidebyside
