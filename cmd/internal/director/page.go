package director

import (
	"holdfast/cmd/internal/web"
	"holdfast/conf"
)

// A statusPage is the subsystem of the status page. Control socket and listeners serve
// it. It comes before the listeners, so that its readers are told why they close.
type statusPage struct {
	base
	page *web.Page
}

func (s *statusPage) apply(c *conf.Config) { s.page.Open(pagePeers(c)) }

// pagePeers returns the other directors. The list of all directors can be the same in
// their configurations, so this one may be on it.
func pagePeers(c *conf.Config) []web.Peer {
	peers := make([]web.Peer, 0, len(c.Page.Peers))
	for i := range c.Page.Peers {
		p := &c.Page.Peers[i]
		if p.Name == c.Director.Name {
			continue
		}
		peers = append(peers, web.Peer{Name: p.Name, URL: p.URL, CA: p.CAText, Certificate: p.Certificate, Key: string(p.PrivateKey)})
	}
	return peers
}

func (s *statusPage) suspend()    { s.page.Close(true) }
func (s *statusPage) stop() error { s.page.Close(false); return nil }
func (s *statusPage) close()      { s.page.Close(false) }
