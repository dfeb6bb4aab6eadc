#!/bin/sh
# vishvananda/netlink v1.3.1: FouAdd cannot open a port for GUE; Linux 6.1 refuses its
# request with ERANGE.
#
# A port for GUE has no IP protocol, and the library refuses one that is given. But it
# sends the attribute FOU_ATTR_IPPROTO all the same, with 0, and the kernel accepts
# 1 to 255 in it. "ip fou add port 6080 gue" leaves the attribute out. A port with a
# protocol can be opened.
#
# Seen with github.com/vishvananda/netlink v1.3.1 on Linux 6.1.176, which is the
# user-mode-linux 6.1um4+b10 of Debian 12:
#
#   with a protocol: <nil>
#   GUE: numerical result out of range
#   GUE by ip fou: port 6082 gue
#   as described
. "$(dirname "$0")/lib.sh"
fetch user-mode-linux kmod iproute2
gomod github.com/vishvananda/netlink@v1.3.1 <<'GO'
package main

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

func main() {
	fmt.Println(netlink.FouAdd(netlink.Fou{Family: netlink.FAMILY_V4, Port: 6080, Protocol: 4, EncapType: netlink.FOU_ENCAP_DIRECT}))
	fmt.Println(netlink.FouAdd(netlink.Fou{Family: netlink.FAMILY_V4, Port: 6081, EncapType: netlink.FOU_ENCAP_GUE}))
}
GO
. "$here/uml.sh"
guest fou <<GUEST
$work/main
ip fou add port 6082 gue
ip fou show | grep -o 'port 6082 gue'
GUEST
same "with a protocol" "<nil>" "$(sed -n 1p seen)"
same "GUE" "numerical result out of range" "$(sed -n 2p seen)"
same "GUE by ip fou" "port 6082 gue" "$(sed -n 3p seen)"
finish
