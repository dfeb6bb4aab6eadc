// Package speaker runs virtual routers against real time.
//
// A [Speaker] is one loop over all groups of a director: it hears adverts,
// keeps the deadlines in one queue, and sends what is due at a wake-up in one
// batch. Nothing in the loop waits for anything but its [Port]: devices are
// changed by whoever takes its orders, scripts are run by whoever reads its
// reports. So a slow netlink call or a hanging script delays no advert.
//
// The loop does not allocate for an advert that it sends or hears.
//
// The package knows neither sockets nor the kernel. It declares what it needs
// of them, and runs as well in a testing/synctest bubble over channels.
package speaker
