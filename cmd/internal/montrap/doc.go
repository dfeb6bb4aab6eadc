// Package montrap takes traps of mon: UDP packets with the result of a monitor that runs
// on another host. mon's own programs send them (trap.alert, Mon::Client).
//
//	packet.go  bytes to a Trap; pure
//	sender.go  who may send traps
//	budget.go  how many
//	server.go  the socket
//	handover.go  the socket goes over to another binary in this process
package montrap
