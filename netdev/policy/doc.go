// Package policy keeps routing policy in the kernel: the routes and rules of
// virtual routers, and egress.
//
//   - [Route] and [Rule] say what is wanted, in the words of `ip route` and
//     `ip rule`.
//   - A [Set] adds, repairs and removes them for devices. It touches only those
//     that carry our protocol number.
//   - An [Egress] makes packets from virtual addresses leave by their macvlan.
//   - [Watch] reports changes, [Look] compares without changing anything, and
//     [Usable] says whether a route works.
package policy
