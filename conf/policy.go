package conf

// visitPolicy visits the routes and rules of an instance.
func (in *Instance) visitPolicy(t *table) {
	routes := unique[routeKey]{}
	list(t, "route", &in.Routes, func(t *table, r *Route) {
		r.visit(t, in.Family)
		if !t.reading() || !t.has("to") || !t.clean() {
			return
		}
		if first := routes.use(r.key(), t.where("to")); first != "" {
			t.failf("to", "there is already a route to %v with this table, metric and tos, at %s", r.To, first)
		}
	})
	same := unique[Rule]{}
	position := 0
	list(t, "rule", &in.Rules, func(t *table, r *Rule) {
		r.visit(t, in.Family)
		if !t.reading() {
			return
		}
		if !t.has("priority") {
			in.choosePriority(t, r, position)
		}
		position++
		if t.clean() {
			if first := same.use(*r, t.where("")); first != "" {
				t.failf("", "there is already the same rule, at %s", first)
			}
		}
	})
}

// choosePriority sets the default priority of a rule. It depends only on the
// VRID of the instance and the number of rules before it, so that a change
// elsewhere in the file does not move the rule.
func (in *Instance) choosePriority(t *table, r *Rule, position int) {
	r.Priority = in.rulePriority(position)
	switch {
	case position >= rulesEach:
		t.failf("priority", "is required, because an instance has only %d default priorities", rulesEach)
	case r.Action == "goto" && t.ok("goto") && t.has("goto") && r.Priority >= r.Goto:
		t.failf("goto", "%d must be greater than the priority of this rule, which by default is %d", r.Goto, r.Priority)
	}
}

// rulePriority returns the default priority of the rule at a position in the
// instance, counted from 0.
func (in *Instance) rulePriority(position int) uint32 {
	return firstPriority + rulesEach*uint32(in.VRID) + uint32(position)
}
