// Package director is the supervisor: it builds the parts of the daemon from a
// configuration, connects them, reloads them and stops them.
//
// # The loop
//
// Everything that the director decides happens in one goroutine, its loop
// (director.go). What other goroutines see, such as transitions, results of checks,
// link events and requests on the control socket, they post to the loop
// (mailbox.go). The VRRP loop has a thread of its own and never waits for the
// director's.
//
// # Subsystems
//
// Whatever has a state of its own is a subsystem: a type with the verbs of
// subsystem.go, most of which do nothing unless it defines them. Director.list makes
// all of them and puts them in one list. Start, reload, status, upgrade and stop walk
// that list, stop backwards. A new subsystem is a file of its own and a line in
// Director.list. It gets no Director but the base of subsystem.go and the functions
// that it names in its fields, and so it can be tested alone (subsystem_test.go).
//
//	outlets.go         scripts, pipes, webhooks and mail; programs.go: what is run
//	service_manager.go what systemd is told; watchdog.go: that adverts go out
//	hardware_watchdog.go  a timer that resets the machine unless adverts go out
//	snmp.go, dbus.go   SNMP and D-Bus
//	metrics.go         metrics for Prometheus
//	bfd.go             BFD sessions; fast.go: those by which a dead MASTER is replaced at once
//	via.go             checks at the address of a service; via_sysctl.go: what lets the
//	                   answers in
//	watch_links.go     changes of interfaces and addresses
//	watch_settings.go  changes of sysctls
//	watch_routes.go    changes of routes and rules
//	services.go        virtual services: checks and events; balance.go: the IPVS table;
//	                   ipvs_state.go: what a later run must know of it; contention.go:
//	                   services that another program keeps changing; ipvs_sysctl.go:
//	                   the sysctls of IPVS; operator.go: orders of operators, orders.go:
//	                   what a later run must know of them; maintenance.go: files that
//	                   drain servers; check_tools.go: programs, files and BFD sessions
//	                   for checks
//	preempt.go         what a director that returned waits for before it preempts;
//	                   preempt_ask.go: a program that has the MASTER hand over instead
//	trackers.go        trackers; tracker_state.go: what a start after a crash knows
//	resources.go       what runs where a unit is MASTER; resource_spec.go: how it is run;
//	                   resource_state.go: what a later run must know of it;
//	                   resource_status.go: what status shows; resource_handover.go: the
//	                   end before mastership is given away; fencing.go: what makes sure
//	                   that the former MASTER is off; claim_gate.go: claims of
//	                   addresses that wait for all that
//	routers.go         the virtual routers; see below
//	conflicts.go       what others have in the kernel that is in our way
//	check_warnings.go  what checks find at servers that are well, as problems
//	alerts.go          messages of failures; alert_sinks.go: their receivers
//	problems.go        the list of what is not as it should be, for status and events
//	listeners.go       HTTP on TCP ports; page.go: the status page
//	mon_traps.go       traps of mon, by UDP
//	rival.go           routers that send adverts as MASTER beside ours
//
// Something that happened is one event (package event), published by one call; each
// subsystem may handle it. report.go makes the events of what the VRRP loop reports.
// states.go makes events of the present states, for receivers that begin anew.
// status.go puts the status together. reload.go applies another configuration;
// describe.go says in sentences how two configurations differ, and plan.go what a reload
// or a start would change.
//
// # Virtual routers
//
// units.go turns a configuration into units, which start, stop and move together, and
// compares two configurations. router_start.go, router_change.go, router_regroup.go
// and router_stop.go carry the difference out. instance.go is one virtual router and
// what keeps it from being MASTER; extra_interfaces.go are its addresses on other
// interfaces, policy.go its routes and rules, instance_tracking.go its trackers.
// router_look.go compares the interfaces with what the VRRP loop was told;
// transmit.go says how a router sends, wires.go by which further interfaces, listen.go
// on what the sockets listen.
// vrrp_port.go connects the sockets with the VRRP loop. The VRRP loop orders devices
// to be claimed and released; executor.go carries the orders out on device_host.go.
// repair.go says when the host compares what is ours with what it should be.
// router_status.go is what status shows. handover.go gives mastership away on request.
//
// # Start, upgrade and end
//
// lock.go keeps a second director out. control_socket.go answers clients. upgrade.go
// runs a newer binary in this process; upgrade_files.go leaves it what upgrade_state.go
// describes, and early_speaker.go speaks for it until it has read its configuration.
// stop.go ends everything. release.go gives away what a daemon that crashed has left,
// and resource_release.go stops what that has started.
// realtime.go sets the scheduling of threads; state_file.go reads JSON from state files.
// event_file.go keeps the journal in a file, over restarts.
//
// # What reaches the kernel
//
// The director is not divided into a part that decides and one that acts; most
// decisions need what the kernel says at that moment. But only the files that
// kernel_test.go lists call the kernel, the host's devices or the disk. All others
// decide on values, and can be tested without either.
package director
