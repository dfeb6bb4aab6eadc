package conf

// visitPolicy walks over the routes and rules of an instance.
func (in *Instance) visitPolicy(t *table) {
	places := unique[routePlace]{}
	list(t, "route", &in.Routes, func(t *table, r *Route) {
		r.visit(t, in.Family)
		if !t.reading() || !t.has("to") || !t.clean() {
			return
		}
		if first := places.use(r.place(), t.where("to")); first != "" {
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

// choosePriority gives a rule that has none a priority that depends on nothing
// but the instance's VRID and the rules before it.
func (in *Instance) choosePriority(t *table, r *Rule, position int) {
	r.Priority = in.rulePriority(position)
	switch {
	case position >= rulesEach:
		t.failf("priority", "is required, because an instance has only %d default priorities", rulesEach)
	case r.Action == "goto" && t.ok("goto") && t.has("goto") && r.Priority >= r.Goto:
		t.failf("goto", "%d must be greater than the priority of this rule, which by default is %d", r.Goto, r.Priority)
	}
}

// rulePriority is the priority of the rule at a position among those of the
// instance, unless the file gives one.
func (in *Instance) rulePriority(position int) uint32 {
	return firstPriority + rulesEach*uint32(in.VRID) + uint32(position)
}
