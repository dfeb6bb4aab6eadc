package ipvs

// The generic netlink family of IPVS (include/uapi/linux/ip_vs.h).
const (
	familyName    = "IPVS"
	familyVersion = 1
)

// Commands (IPVS_CMD_*).
const (
	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
	cmdNewDaemon  = 9
	cmdDelDaemon  = 10
	cmdGetDaemon  = 11
	cmdSetConfig  = 12
	cmdGetConfig  = 13
	cmdGetInfo    = 15
)

// Attributes of a command (IPVS_CMD_ATTR_*).
const (
	attrService       = 1
	attrDest          = 2
	attrDaemon        = 3
	attrTimeoutTCP    = 4
	attrTimeoutTCPFin = 5
	attrTimeoutUDP    = 6
)

// Attributes of a service (IPVS_SVC_ATTR_*).
const (
	svcFamily    = 1
	svcProtocol  = 2
	svcAddress   = 3
	svcPort      = 4
	svcMark      = 5
	svcScheduler = 6
	svcFlags     = 7
	svcTimeout   = 8
	svcNetmask   = 9
	svcEngine    = 11
	svcStats64   = 12
)

// Attributes of a destination (IPVS_DEST_ATTR_*).
const (
	destAddress         = 1
	destPort            = 2
	destForward         = 3
	destWeight          = 4
	destUpper           = 5
	destLower           = 6
	destActive          = 7
	destInactive        = 8
	destPersistent      = 9
	destFamily          = 11
	destStats64         = 12
	destTunnelType      = 13
	destTunnelPort      = 14
	destTunnelFlags     = 15
	forwardMask         = 0x7 // IP_VS_CONN_F_FWD_MASK
	tunnelChecksum      = 0x1 // IP_VS_TUNNEL_ENCAP_FLAG_CSUM
	tunnelRemoteOffload = 0x2 // IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM
)

// Attributes of a sync daemon (IPVS_DAEMON_ATTR_*).
const (
	daemonState     = 1
	daemonInterface = 2
	daemonID        = 3
	daemonMaxLen    = 4
	daemonGroup     = 5
	daemonGroup6    = 6
	daemonPort      = 7
	daemonTTL       = 8
)

// Attributes of the answer to cmdGetInfo (IPVS_INFO_ATTR_*).
const (
	infoVersion   = 1
	infoTableSize = 2
)
