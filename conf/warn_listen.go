package conf

// warnOfListens warns of listeners that cannot use their certificates. They are no
// error: the daemon runs without such a listener, and tries again.
func (c *Config) warnOfListens(s sections) {
	for i, t := range s.listens {
		l := &c.Listens[i]
		if l.TLS.Cert == "" {
			continue
		}
		if _, _, err := l.TLS.load(t.in.env); err != nil {
			t.warnf("tls", "the listener cannot start: %v", err)
		}
	}
}
