// Package rtnl speaks route netlink: it sends many requests in one system call,
// and dumps tables completely.
package rtnl
