package conf

import (
	"strings"

	"holdfast/checker/probe"
)

// Page is what the status page shows beside this director.
type Page struct {
	Peers []PagePeer
}

// A PagePeer is another director, whose state the page shows.
type PagePeer struct {
	Name string
	URL  string // of its listener
	// CA is the path of a PEM file with trusted certificates, and CAText its content;
	// "": the certificates of the system.
	CA, CAText string
	// Certificate and PrivateKey are the contents of CertFile and KeyFile, with which
	// this director proves to the peer who it is; "": it does not.
	CertFile, KeyFile string
	Certificate       string
	PrivateKey        probe.Secret
}

func (p *Page) visit(t *table) {
	peers := list(t, "peers", &p.Peers, func(t *table, p *PagePeer) { p.visit(t) })
	names, urls := make(unique[string]), make(unique[string])
	for i, peer := range peers {
		peer.useOnce(names, "name", p.Peers[i].Name)
		peer.useOnce(urls, "url", p.Peers[i].URL)
	}
}

func (p *PagePeer) visit(t *table) {
	need(t, "name", &p.Name, name)
	need(t, "url", &p.URL, httpURL)
	field(t, "ca", &p.CA, optionalPath, "")
	field(t, "cert", &p.CertFile, optionalPath, "")
	field(t, "key", &p.KeyFile, optionalSecretPath, "")
	if !t.reading() {
		return
	}
	if strings.Contains(p.URL, "?") && t.ok("url") {
		t.failf("url", "must not have a query: the paths of the page are added to it")
	}
	if strings.HasPrefix(p.URL, "http://") && t.ok("url") {
		forbidUnless(t, "with an http URL", map[string]bool{"ca": p.CA == "", "cert": p.CertFile == "", "key": p.KeyFile == ""})
	}
	p.CAText = readCA(t, p.CA)
	p.Certificate, p.PrivateKey = readIdentity(t, p.CertFile, p.KeyFile)
}
