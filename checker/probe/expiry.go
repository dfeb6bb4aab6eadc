package probe

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"time"
)

// An expiry knows when the certificate that a server showed last will end.
type expiry struct {
	within time.Duration // before the end, the warning begins; 0: never

	mu    sync.Mutex
	end   time.Time         // of the certificate that ends first of those that are needed
	first *x509.Certificate // that certificate, if it can make a warning
}

// note takes over the certificates of a handshake.
func (e *expiry) note(state tls.ConnectionState) {
	first := endsFirst(state)
	if first == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.end = first.NotAfter
	if e.within > 0 {
		e.first = first
	}
}

// ends returns when the certificate ends; zero before the first handshake.
func (e *expiry) ends() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.end
}

// endsFirst returns the certificate that will end the validity of a server's
// certificate: of the chain that lasts longest, the one that ends first. Without
// verified chains it is the server's own.
func endsFirst(state tls.ConnectionState) *x509.Certificate {
	var best *x509.Certificate
	for _, chain := range state.VerifiedChains {
		first := chain[0]
		for _, cert := range chain[1:] {
			if cert.NotAfter.Before(first.NotAfter) {
				first = cert
			}
		}
		if best == nil || first.NotAfter.After(best.NotAfter) {
			best = first
		}
	}
	if best == nil && len(state.PeerCertificates) > 0 {
		best = state.PeerCertificates[0]
	}
	return best
}

// warning returns "" until the end is near. Its text is the same from one call to
// the next.
func (e *expiry) warning(now time.Time) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.first == nil {
		return ""
	}
	end := e.first.NotAfter
	when := end.UTC().Format("2006-01-02 15:04 MST")
	switch {
	case !now.Before(end):
		return fmt.Sprintf("the certificate of %s expired on %s", nameIn(e.first), when)
	case end.Sub(now) < e.within:
		return fmt.Sprintf("the certificate of %s expires on %s", nameIn(e.first), when)
	}
	return ""
}

// nameIn returns how people know a certificate.
func nameIn(cert *x509.Certificate) string {
	switch {
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	case len(cert.IPAddresses) > 0:
		return cert.IPAddresses[0].String()
	case cert.Subject.CommonName != "":
		return cert.Subject.CommonName
	}
	return "serial number " + cert.SerialNumber.String()
}
