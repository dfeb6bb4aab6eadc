package conf

import (
	"fmt"
	"slices"
	"strconv"
)

// checkDefaults are what the checks of a service or a server have by default.
type checkDefaults struct {
	inherited []Check // of the service, for a server
	invalid   bool    // inherited has errors, which are not to be repeated
	def       Check   // for the keys of a check that inherits from none
}

// one returns the defaults of a single table [check].
func (d *checkDefaults) one() Check {
	if len(d.inherited) == 1 {
		return d.inherited[0]
	}
	return d.def
}

// visitChecks visits the key check: one table [check], or a list [[check]] of which
// all must be well. The keys of one table have the defaults of what is inherited if
// that is one check too. A list replaces what is inherited, so its keys have other
// defaults. visitChecks reports whether all checks are valid.
func visitChecks(t *table, checks *[]Check, d checkDefaults) (ok bool) {
	v, given := t.keys["check"]
	_, several := v.data.([]value)
	switch {
	case !t.reading() && len(*checks) == 1 && len(d.inherited) <= 1:
		t.sub("check", func(t *table) { (*checks)[0].visit(t, d.one()) })
		return true
	case !t.reading(), several: // an empty table in place of a list would not be written
		return visitCheckList(t, checks, d.def)
	case !given && d.inherited != nil:
		t.ask("check")
		*checks = slices.Clip(d.inherited) // shared: nobody changes a check
		return true
	}
	*checks = []Check{d.one()}
	t.sub("check", func(t *table) {
		c := &(*checks)[0]
		c.visit(t, d.one())
		t.ask("id")
		t.forbid("with one check", "id")
		if !d.invalid {
			c.validate(t)
		}
		ok = t.clean()
	})
	return ok
}

func visitCheckList(t *table, checks *[]Check, def Check) (ok bool) {
	ok = true
	seen := make(unique[string])
	tables := list(t, "check", checks, func(t *table, c *Check) {
		field(t, "id", &c.ID, checkID, "")
		c.visit(t, def)
		if t.reading() {
			c.validate(t)
			t.useOnce(seen, "id", c.ID)
			ok = ok && t.clean()
		}
	})
	if !t.reading() {
		return true
	}
	if len(tables) == 0 && t.ok("check") {
		t.failf("check", `must have at least one check; type = "none" is for none`)
	}
	nameChecks(checks, def)
	return ok && t.ok("check")
}

// nameChecks numbers the checks of a list that have no ID. A single check has none.
func nameChecks(checks *[]Check, def Check) {
	if len(*checks) == 0 { // after an error
		*checks = []Check{def}
	}
	if len(*checks) == 1 {
		(*checks)[0].ID = ""
		return
	}
	for i := range *checks {
		if c := &(*checks)[i]; c.ID == "" {
			c.ID = strconv.Itoa(i + 1)
		}
	}
}

// checkID is the name of a check of a list. It is not written if it is a number, which
// is that of nameChecks.
var checkID = codec[string]{
	decode: func(v value, fail func(value, string)) (string, bool) {
		s, ok := name.decode(v, fail)
		if ok && isNumber(s) {
			fail(v, fmt.Sprintf("must not be a number, because checks without an id have their number; not %s", quoteShort(s)))
			return "", false
		}
		return s, ok
	},
	encode: func(s string) any {
		if s == "" || isNumber(s) {
			return nil
		}
		return s
	},
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// asks reports whether one of the checks sends anything to the server.
func (h *Health) asks() bool {
	return slices.ContainsFunc(h.Checks, func(c Check) bool { return c.asks() })
}
