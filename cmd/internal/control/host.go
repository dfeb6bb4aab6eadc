package control

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// onlyKnownHosts refuses requests that were sent to a strange name. A web page can
// have a browser send requests to a director by a name of the page's owner, and then
// read the answers (DNS rebinding). With TLS the browser refuses the certificate.
func (s *Server) onlyKnownHosts(next http.Handler) http.Handler {
	if s.door.Hosts == nil || s.door.Certificates != nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !admitsHost(s.door.Hosts, r.Host) {
			s.api.fail(w, http.StatusMisdirectedRequest, fmt.Errorf("%s does not answer to the name %q: add it to hosts of its [[listen]]", s.door.Name, r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admitsHost reports whether the Host of a request is an address, a name without dots,
// which nobody can register, or one of hosts. "*" among these admits every name.
func admitsHost(hosts []string, host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") {
		return true
	}
	for _, h := range hosts {
		if h == "*" || strings.EqualFold(strings.TrimSuffix(h, "."), name) {
			return true
		}
	}
	return false
}
