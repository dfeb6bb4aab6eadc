// Package port has the sockets that send and receive adverts and frames. All of
// them are of the network namespace of the thread that opens them.
//
//   - [Port] sends and receives VRRP on all interfaces, from one thread.
//   - [Overhear] receives the adverts of one virtual router with their source MAC.
//   - [Neighbour] asks by ARP or neighbour discovery whether a host is there.
package port
