// Package lvs decides what the IPVS table of a director should be.
//
// It is pure: it has no socket, goroutine, clock or log. Configuration, health
// and mastership go into a [Table]; what the kernel should hold comes out as
// []Wanted; [Plan] says in which order to get there from what the kernel
// holds; [Applier] walks that order over a [Kernel] (package lvs/ipvs, or the
// fake of lvs/lvstest):
//
//	table.Configure(services)
//	table.Adopt(have)                      // what a former run left in use
//	table.SetHealth(ref, lvs.Up)           // from a checker
//	table.SetMaster("director", true)      // from VRRP
//	report, err := applier.Apply(table.Keys(), table.Wanted())
//
// # What is ours
//
// A director shares its IPVS table with the administrator's ipvsadm and with
// other programs. A service is ours when its [Key] is configured now, or when
// we (or a former run of ours, whose keys the caller remembered) were
// responsible for it. Every other service is never edited, emptied or deleted,
// and the table is never flushed. A service that is ours is ours whole: a
// server that somebody else put into it is removed, one that somebody else
// removed comes back.
//
// # Order
//
// Parameters are changed in place: nothing is deleted to be added again, for a
// deleted destination forgets its counters and its persistent clients. Within
// a service what can take traffic is added before what took it goes, so a
// service that has a usable server before and after has one at every moment
// between. See [Plan].
package lvs
