package checker

import (
	"bytes"
	"crypto/tls"
	"regexp"
	"slices"
)

// asksSame reports whether c and d ask the same question of the same server at
// the same pace, so that one attempt answers both. What is made of the answer
// (Rise, Fall, InitiallyUp) and for whom (ID) may differ.
func (c *Config) asksSame(d *Config) bool {
	return c.Kind == d.Kind &&
		c.Address == d.Address &&
		c.Interval == d.Interval &&
		c.Timeout == d.Timeout &&
		c.RetryInterval == d.RetryInterval &&
		c.Dial == d.Dial &&
		c.DNS == d.DNS &&
		c.UDP.same(&d.UDP) &&
		c.HTTP.same(&d.HTTP)
}

func (u *UDPConfig) same(o *UDPConfig) bool {
	return u.Silence == o.Silence && bytes.Equal(u.Payload, o.Payload) && samePattern(u.Reply, o.Reply)
}

func (h *HTTPConfig) same(o *HTTPConfig) bool {
	return h.Method == o.Method &&
		h.Host == o.Host &&
		h.Path == o.Path &&
		slices.Equal(h.Status, o.Status) &&
		samePattern(h.Body, o.Body) &&
		sameTLS(h.TLS, o.TLS)
}

func samePattern(a, b *regexp.Regexp) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.String() == b.String()
}

// sameTLS compares what a check's TLS configuration is made of: a reload builds
// a new one from an unchanged file. Two that hold functions are the same only
// if they are one, because functions cannot be compared.
func sameTLS(a, b *tls.Config) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	if hasFunctions(a) || hasFunctions(b) {
		return false
	}
	if (a.RootCAs == nil) != (b.RootCAs == nil) || a.RootCAs != nil && !a.RootCAs.Equal(b.RootCAs) {
		return false
	}
	return a.ServerName == b.ServerName &&
		a.InsecureSkipVerify == b.InsecureSkipVerify &&
		a.MinVersion == b.MinVersion &&
		a.MaxVersion == b.MaxVersion &&
		slices.Equal(a.NextProtos, b.NextProtos) &&
		slices.Equal(a.CipherSuites, b.CipherSuites) &&
		slices.Equal(a.CurvePreferences, b.CurvePreferences) &&
		slices.EqualFunc(a.Certificates, b.Certificates, sameCertificate)
}

// sameCertificate leaves the private key out: a certificate has only one.
func sameCertificate(a, b tls.Certificate) bool {
	return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}

func hasFunctions(c *tls.Config) bool {
	return c.Rand != nil || c.Time != nil || c.KeyLogWriter != nil ||
		c.GetClientCertificate != nil || c.VerifyPeerCertificate != nil || c.VerifyConnection != nil
}
