// Package lvs decides what the IPVS table of a director should contain.
//
// It is pure: it has no socket, goroutine, clock or log. A [Table] takes the
// configuration, the health of the servers and the mastership of groups, and
// returns what the kernel should hold ([Table.Wanted]). [Plan] returns the
// ordered changes from what the kernel holds to that. An [Applier] makes these
// changes in a [Kernel]: package lvs/ipvs, or the fake of package lvs/lvstest.
//
//	table.Configure(services)
//	table.Adopt(have)                      // keep servers in use that the kernel uses
//	table.SetHealth(ref, lvs.Up)           // from a checker
//	table.SetMaster("director", true)      // from VRRP
//	report, err := applier.Apply(table.Keys(), table.Wanted())
//
// # Which services are ours
//
// A director shares its IPVS table with the administrator's ipvsadm and with
// other programs. A service is ours when its [Key] is configured now, or when
// this process or a previous run of it (whose keys the caller has kept) was
// responsible for it. Any other service is never edited, emptied or deleted,
// and the table is never flushed. A service that is ours is ours with all its
// servers: a server that another program adds is deleted, and one that another
// program deletes is added again.
//
// # Order of the changes
//
// Parameters are edited in place. Nothing is deleted and added again, because
// the kernel would lose the counters and the persistent clients of a deleted
// destination. Within a service, servers that can take traffic are added before
// others are deleted: a service that has a usable server before and after a plan
// has one at every moment between. See [Plan].
package lvs
