package snmp

import (
	"holdfast/cmd/internal/snmp/agentx"
	"holdfast/cmd/internal/status"
)

// Object identifiers from RFC 6527 §9 and from SNMPv2-MIB (RFC 3418).
var (
	oidMIB       = agentx.OID{1, 3, 6, 1, 2, 1, 207}           // vrrpv3MIB
	oidNewMaster = oidMIB.Append(0, 1)                         // vrrpv3NewMaster
	oidProtoErr  = oidMIB.Append(0, 2)                         // vrrpv3ProtoError
	oidOperation = oidMIB.Append(1, 1, 1, 1)                   // vrrpv3OperationsEntry
	oidAddress   = oidMIB.Append(1, 1, 2, 1)                   // vrrpv3AssociatedIpAddrEntry
	oidGlobal    = oidMIB.Append(1, 2)                         // vrrpv3Statistics
	oidStatistic = oidGlobal.Append(5, 1)                      // vrrpv3StatisticsEntry
	oidTrap      = agentx.OID{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0} // snmpTrapOID.0
)

// Columns that notifications use too.
const (
	columnMasterAddress = 3 // vrrpv3OperationsMasterIpAddr
	columnTakeover      = 2 // vrrpv3StatisticsNewMasterReason
	columnLastError     = 6 // vrrpv3StatisticsProtoErrReason
)

// Values of enumerations and textual conventions.
const (
	yes, no   = 1, 2 // TruthValue (RFC 2579)
	rowActive = 1    // RowStatus (RFC 2579)
	ipv4      = 1    // InetAddressType (RFC 4001)
	ipv6      = 2
)

// states maps states to values of vrrpv3OperationsStatus. RFC 6527 has no value
// for FAULT. FAULT has the value of INIT, because the virtual router waits to take
// part.
var states = map[string]int32{"INIT": 1, "FAULT": 1, "BACKUP": 2, "MASTER": 3}

// takeovers maps reasons to values of vrrpv3StatisticsNewMasterReason.
var takeovers = map[string]int32{"": 0, "priority": 1, "preempted": 2, "no_response": 3}

// protocolErrors maps reasons to values of vrrpv3StatisticsProtoErrReason. It
// leaves out vrIdError: such a packet is for none of our routers and so has no row.
var protocolErrors = map[string]int32{"": 0, "hop_limit": 1, "version": 2, "checksum": 3}

// A column is a column of a table. value returns its value in a row.
type column struct {
	number uint32
	value  func(v *view, r *row) agentx.Value
}

// operations are the columns of vrrpv3OperationsTable. Columns 1 and 2 are the
// index and cannot be read.
var operations = []column{
	{columnMasterAddress, func(_ *view, r *row) agentx.Value { return agentx.Octets(r.address(r.master())) }},
	{4, func(_ *view, r *row) agentx.Value { return agentx.Octets(r.address(r.Source)) }}, // PrimaryIpAddr
	{5, func(_ *view, r *row) agentx.Value { return agentx.Octets(r.mac()) }},             // VirtualMacAddr
	{6, func(_ *view, r *row) agentx.Value { return agentx.Integer(states[r.State]) }},    // Status
	{7, func(_ *view, r *row) agentx.Value { return agentx.Gauge(uint32(r.EffectivePriority)) }},
	{8, func(_ *view, r *row) agentx.Value { return agentx.Integer(int32(len(r.advertised))) }}, // AddrCount
	{9, func(_ *view, r *row) agentx.Value { return agentx.Integer(int32(r.IntervalMS / 10)) }},
	{10, func(_ *view, r *row) agentx.Value { return truth(r.Preempt) }},
	{11, func(_ *view, r *row) agentx.Value { return truth(!r.Refused) }}, // AcceptMode
	{12, func(v *view, r *row) agentx.Value { return agentx.TimeTicks(v.since(r.UpSince)) }},
	{13, func(*view, *row) agentx.Value { return agentx.Integer(rowActive) }},
}

// statistics are the columns of vrrpv3StatisticsTable. It has the same index as
// vrrpv3OperationsTable.
var statistics = []column{
	{1, func(_ *view, r *row) agentx.Value { return agentx.Counter32(uint32(r.Counters.BecameMaster)) }},
	{columnTakeover, func(_ *view, r *row) agentx.Value { return agentx.Integer(takeovers[r.Takeover]) }},
	{3, counter(func(c *status.Counters) uint64 { return c.AdvertsReceived })},
	{4, counter(func(c *status.Counters) uint64 { return c.Dropped["interval"] + c.IntervalDiffers })},
	{5, counter(func(c *status.Counters) uint64 { return c.Dropped["hop_limit"] })},
	{columnLastError, func(_ *view, r *row) agentx.Value { return agentx.Integer(protocolErrors[r.Counters.LastError]) }},
	{7, counter(func(c *status.Counters) uint64 { return c.StopReceived })},
	{8, counter(func(c *status.Counters) uint64 { return c.StopSent })},
	{9, counter(func(c *status.Counters) uint64 { return c.Dropped["type"] })},
	{10, counter(func(c *status.Counters) uint64 { // AddressListErrors
		return c.Dropped["addresses"] + c.Dropped["count"] + c.AddressMismatch
	})},
	{11, counter(func(c *status.Counters) uint64 { return c.Dropped["length"] })},
	{12, func(v *view, r *row) agentx.Value { return agentx.TimeTicks(v.clock.at(r.Counters.Since)) }},
	{13, func(*view, *row) agentx.Value { return agentx.Gauge(uint32(freshFor.Milliseconds())) }}, // RefreshRate
}

// global are the scalars of vrrpv3Statistics.
var global = []func(v *view) agentx.Value{
	func(v *view) agentx.Value { return agentx.Counter64(v.status.Dropped["checksum"]) },
	func(v *view) agentx.Value { return agentx.Counter64(v.status.Dropped["version"]) },
	func(v *view) agentx.Value { return agentx.Counter64(v.status.UnknownVRID + v.status.Dropped["vrid"]) },
	func(v *view) agentx.Value { return agentx.TimeTicks(v.clock.at(v.status.Started)) }, // GlobalStatisticsDiscontinuityTime
}

func counter(read func(*status.Counters) uint64) func(*view, *row) agentx.Value {
	return func(_ *view, r *row) agentx.Value { return agentx.Counter64(read(&r.Counters)) }
}

func truth(b bool) agentx.Value {
	if b {
		return agentx.Integer(yes)
	}
	return agentx.Integer(no)
}
