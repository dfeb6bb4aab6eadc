// Package frame builds and reads the packets that VRRP, ARP and IPv6 neighbour
// discovery put on an Ethernet. It is pure: it opens no socket.
//
//   - [Advert] wraps VRRP messages in IP and Ethernet headers.
//   - [GratuitousARP] and [UnsolicitedNA] announce where a virtual address is.
//   - [WhoHas] and [NeighbourSolicitation] ask where an address is; [Answers]
//     recognises the answer.
//   - [ParseIPv4], [ParseIPv4AH] and [ParseFrame] read received adverts.
package frame
