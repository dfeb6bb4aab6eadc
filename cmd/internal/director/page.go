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

func (s *statusPage) apply(c *conf.Config) {
	peers := make([]web.Peer, 0, len(c.Page.Peers))
	for i := range c.Page.Peers {
		p := &c.Page.Peers[i]
		peers = append(peers, web.Peer{Name: p.Name, URL: p.URL, CA: p.CAText, Certificate: p.Certificate, Key: string(p.PrivateKey)})
	}
	s.page.Open(peers)
}

func (s *statusPage) suspend()    { s.page.Close(true) }
func (s *statusPage) stop() error { s.page.Close(false); return nil }
func (s *statusPage) close()      { s.page.Close(false) }
