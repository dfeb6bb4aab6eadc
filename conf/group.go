package conf

func (g *Group) visit(t *table) (p parts) {
	need(t, "name", &g.Name, name)
	need(t, "members", &g.Members, listOf(name))
	field(t, "track", &g.Track, listOf(tracking), nil)
	field(t, "preempt_command", &g.PreemptCommand, preemptCommand, Command{})
	t.sub("notify", g.Notify.visit)
	p.resources = list(t, "resource", &g.Resources, func(t *table, r *Resource) { r.visit(t) })
	t.maybe("fence", g.Fence.Kind != "", g.Fence.visit)
	if t.reading() && t.has("members") && t.ok("members") && len(g.Members) == 0 {
		t.failf("members", "a group needs at least one member")
	}
	return p
}
