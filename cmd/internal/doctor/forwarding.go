package doctor

import (
	"context"
	"fmt"

	"holdfast/lvs"
	"holdfast/netdev/sysctl"
)

// forwardingFacts are the sysctls that let the host forward; "" if there is none.
type forwardingFacts struct{ IPv4, IPv6 string }

func lookAtForwarding(context.Context, *Patient) (f forwardingFacts, err error) {
	if f.IPv4, err = sysctl.Read(forward4); err != nil {
		return f, err
	}
	if sysctl.HasIPv6() {
		f.IPv6, err = sysctl.Read(forward6)
	}
	return f, err
}

const (
	forward4 = "ipv4/ip_forward"
	forward6 = "ipv6/conf/all/forwarding"
)

func judgeForwarding(p *Patient, f forwardingFacts) (found []Finding) {
	for _, one := range []struct {
		ipv6       bool
		key, value string
	}{{false, forward4, f.IPv4}, {true, forward6, f.IPv6}} {
		service := natService(p, one.ipv6)
		if service == "" || one.value != "0" {
			continue
		}
		f := Finding{Severity: Error, What: fmt.Sprintf("%s is 0, and the service %s forwards by NAT", sysctl.Name(one.key), service),
			Why: "The kernel drops the answers of the realservers: clients time out."}
		f.Cure, f.fix = setting(one.key, "1")
		found = append(found, f)
	}
	return found
}

// natService returns the first service with a NAT server of a family.
func natService(p *Patient, ipv6 bool) string {
	for _, s := range balanced(p.Config) {
		for _, v := range s.Servers {
			if v.Server.Forward == lvs.NAT && v.Server.Address.Addr().Unmap().Is6() == ipv6 {
				return s.Name
			}
		}
	}
	return ""
}
