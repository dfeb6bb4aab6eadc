package mon

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"holdfast/integration/tools"
)

// Whatever the states of the services are, a formula is what mon's Perl makes of the text.
func TestExpressions(t *testing.T) {
	names := []string{"a:x", "b:y", "c:z"}
	for _, text := range []string{
		"a:x", "a:x && b:y", "a:x || b:y", "a:x && b:y || c:z", "a:x || b:y && c:z", "(a:x || b:y) && c:z", "!a:x", "! ( a:x && b:y )", "!!a:x",
		"a:x and b:y", "a:x or b:y and c:z", "not a:x and b:y", "not a:x || b:y", "a:x and not b:y or c:z", "a:x & b:y", "a:x | b:y & c:z", "a:x&&b:y||!c:z",
		"a:x && !a:x", "a:x || !a:x", "a:x && 1", "a:x || 0", "0", "1", "a:x && (b:y || (c:z && !b:y))", "not not a:x", "a:x || not b:y",
		"a:x b:y", "a:x &&", "&& a:x", "(a:x", "a:x)", "", "()", "a:x !b:y",
	} {
		f, err := parseExpression(text, func(name string) (formula, error) { return atom(name), nil })
		for states := range 1 << len(names) {
			well, substituted := clause{}, text
			for i, name := range names {
				well[name] = states>>i&1 == 1
				substituted = strings.ReplaceAll(substituted, name, strconv.Itoa(states>>i&1))
			}
			want := perl(t, substituted)
			if err != nil {
				if want != "error" && text != "" && text != "()" { // these two are false in Perl
					t.Errorf("%q: %v, and Perl says %s of %s", text, err, want, substituted)
				}
				break
			}
			lets, quiet := holds(f.clauses(true), well), holds(f.clauses(false), well)
			if got := map[bool]string{true: "1", false: "0"}[lets]; got != want || lets == quiet {
				t.Errorf("%q with %s: lets alerts out: %v, keeps them quiet: %v; Perl says %s", text, substituted, lets, quiet, want)
			}
		}
	}
	for _, text := range []string{"a:x + b:y", "a:x xor b:y", "a:x > 0", "$x", "system(1)"} {
		if _, err := parseExpression(text, func(name string) (formula, error) { return atom(name), nil }); !errors.Is(err, errForeign) && !errors.Is(err, errEval) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// holds reports whether one of the clauses is so.
func holds(all []clause, well clause) bool {
	for _, c := range all {
		if c.within(well) {
			return true
		}
	}
	return false
}

// perl evaluates an expression as mon does: "1", "0", or "error".
func perl(t *testing.T, text string) string {
	t.Helper()
	if said, known := perlSaid[text]; known {
		return said
	}
	out, err := exec.Command("perl", "-e", `my $e = eval(" $ARGV[0]"); print $@ ne "" ? "error" : $e ? "1" : "0"`, text).Output()
	if err != nil {
		tools.Without(t, "netns", err) // whoever has namespaces has mon, and its perl
	}
	perlSaid[text] = string(out)
	return string(out)
}

var perlSaid = map[string]string{}
