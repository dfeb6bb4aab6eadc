// Package speaker runs virtual routers against real time.
//
// A [Speaker] is one loop over all groups of a director. It receives adverts,
// keeps the deadlines of all groups in one queue, and sends what is due at a
// wake-up in one batch. The loop waits for its [Port] only. Whoever takes its
// orders changes the devices, and whoever reads its reports runs scripts, so a
// slow netlink call or a script that hangs delays no advert.
//
// To use it:
//
//	s := speaker.New(speaker.Options{Port: port, Order: queueOrders, Report: queueReport, Log: log})
//	go s.Run()
//	errs := s.Add(speaker.Unit{Routers: []speaker.Router{{Config: c, Tx: tx, Events: []vrrp.Event{vrrp.Start{}}}}})
//	…
//	s.Answer(order, claim(order)) // for each order with vrrp.Claim, from any goroutine
//	…
//	s.Stop("outside")             // and wait for the Stopped report
//	s.Quit()
//
// The loop allocates no memory for an advert that it sends or receives.
//
// The package knows neither sockets nor the kernel. It declares what it needs of
// them as interfaces, and so runs in a testing/synctest bubble over channels too.
package speaker
