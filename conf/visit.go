package conf

// sections are the tables that Config.visit visited, for checks that need the
// positions of several tables. Each list runs beside the slice of Config with
// the same name.
type sections struct {
	vrrp, groups, tracks, bfd, alerts, listens, services []*table
	sync                                                 *table // nil without [lvs.sync]
	monTraps                                             *table
	vrrpParts, groupParts                                []parts
}

// parts are the tables below a [[vrrp]] or [[group]] that checks need.
type parts struct {
	resources []*table
}

// visit visits the whole configuration. A new section is one line here.
func (c *Config) visit(t *table) (s sections) {
	t.sub("director", c.Director.visit)
	s.vrrp = list(t, "vrrp", &c.VRRP, func(t *table, in *Instance) { s.vrrpParts = append(s.vrrpParts, in.visit(t)) })
	s.groups = list(t, "group", &c.Groups, func(t *table, g *Group) { s.groupParts = append(s.groupParts, g.visit(t)) })
	s.tracks = list(t, "track", &c.Tracks, func(t *table, k *Track) { k.visit(t) })
	s.bfd = list(t, "bfd", &c.BFD, func(t *table, b *BFD) { b.visit(t) })
	t.sub("notify", func(t *table) { c.Notify.visit(t, c.Director.Name) })
	s.alerts = list(t, "alert", &c.Alerts, func(t *table, a *Alert) { a.visit(t) })
	t.sub("mon_traps", func(t *table) { s.monTraps = t; c.MonTraps.visit(t) })
	t.sub("metrics", c.Metrics.visit)
	s.listens = list(t, "listen", &c.Listens, func(t *table, l *Listen) { l.visit(t) })
	t.sub("page", c.Page.visit)
	t.sub("lvs", func(t *table) { s.sync = c.visitLVS(t) })
	s.services = list(t, "service", &c.Services, func(t *table, v *Service) { v.visit(t) })
	return s
}
