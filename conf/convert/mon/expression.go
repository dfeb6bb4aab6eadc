package mon

import (
	"errors"
	"strings"

	"holdfast/conf/convert"
)

// A formula is what a dependency asks for, in mon's terms: true lets alerts out.
type formula interface {
	// clauses returns when the formula is value: all atoms of one clause must be so.
	clauses(value bool) []clause
}

// A clause is what some services must be: true is well. Without any it is always so.
type clause map[string]bool

type (
	constant  bool
	atom      string // a service that is well
	negation  struct{ formula }
	allOf     []formula // all are true
	anyOf     []formula // one is true
	operation func(a, b formula) formula
)

func (c constant) clauses(value bool) []clause {
	if bool(c) == value {
		return []clause{{}}
	}
	return nil
}

func (a atom) clauses(value bool) []clause     { return []clause{{string(a): value}} }
func (n negation) clauses(value bool) []clause { return n.formula.clauses(!value) }

func (f allOf) clauses(value bool) []clause {
	if value {
		return combined(f, value)
	}
	return united(f, value)
}

func (f anyOf) clauses(value bool) []clause {
	if value {
		return united(f, value)
	}
	return combined(f, value)
}

// maxClauses bounds what becomes of a formula. Nobody wrote a longer one.
const maxClauses = 64

// combined returns the clauses of which each has a clause of every formula.
func combined(list []formula, value bool) []clause {
	all := []clause{{}}
	for _, f := range list {
		var next []clause
		for _, left := range all {
			for _, right := range f.clauses(value) {
				if both, ok := left.with(right); ok {
					next = add(next, both)
				}
			}
		}
		all = next
	}
	return all
}

func united(list []formula, value bool) []clause {
	var all []clause
	for _, f := range list {
		for _, c := range f.clauses(value) {
			all = add(all, c)
		}
	}
	return all
}

// with returns a clause with the atoms of both; ok is false if they contradict each other.
func (c clause) with(d clause) (both clause, ok bool) {
	both = clause{}
	for _, half := range []clause{c, d} {
		for name, value := range half {
			if old, known := both[name]; known && old != value {
				return nil, false
			}
			both[name] = value
		}
	}
	return both, true
}

// within reports whether d asks for everything that c asks for.
func (c clause) within(d clause) bool {
	for name, value := range c {
		if other, known := d[name]; !known || other != value {
			return false
		}
	}
	return true
}

// add adds a clause, and leaves out those that another one makes superfluous.
func add(all []clause, c clause) []clause {
	var next []clause
	for _, old := range all {
		switch {
		case old.within(c):
			return all
		case !c.within(old):
			next = append(next, old)
		}
	}
	if len(next) > maxClauses {
		return next
	}
	return append(next, c)
}

// errEval is what mon's Perl says of a text that is no expression. errForeign is about one
// that Perl can evaluate, and this package cannot.
var (
	errEval    = errors.New("it is no expression")
	errForeign = errors.New("it has more than services, && || ! and parentheses")
)

// levels are the operators of Perl, the loosest first. With 0 and 1 the bitwise ones are as
// good as the logical ones.
var levels = []map[string]operation{
	{"or": either},
	{"and": both},
	{}, // not
	{"||": either},
	{"&&": both},
	{"|": either},
	{"&": both},
}

func both(a, b formula) formula   { return allOf{a, b} }
func either(a, b formula) formula { return anyOf{a, b} }

// levelNot is the level of the word not.
const levelNot = 2

// An expression is the rest of a text that is read.
type expression struct {
	tokens []string
	// meaning is what stands for a service.
	meaning func(service string) (formula, error)
}

var expressionToken = convert.Pattern(`^([a-zA-Z0-9_.-]+:[a-zA-Z0-9_.-]+|&&?|\|\|?|[!()]|(?:and|or|not|0|1)\b)`)

// parseExpression reads an expression of Perl with services in it.
func parseExpression(text string, meaning func(string) (formula, error)) (formula, error) {
	e := &expression{meaning: meaning}
	for rest := text; strings.TrimSpace(rest) != ""; {
		rest = strings.TrimLeft(rest, " \t")
		token := expressionToken().FindString(rest)
		if token == "" {
			return nil, errForeign
		}
		e.tokens, rest = append(e.tokens, token), rest[len(token):]
	}
	f, err := e.level(0)
	if err == nil && len(e.tokens) > 0 {
		err = errEval
	}
	return f, err
}

// next takes the next token, and reports true, if it is a certain one.
func (e *expression) next(token string) bool {
	if len(e.tokens) == 0 || e.tokens[0] != token {
		return false
	}
	e.tokens = e.tokens[1:]
	return true
}

// level reads operands of the operators of a level.
func (e *expression) level(n int) (formula, error) {
	if n == levelNot {
		if e.next("not") {
			f, err := e.level(n)
			return negation{f}, err
		}
	}
	if n == len(levels) {
		return e.operand()
	}
	left, err := e.level(n + 1)
	for err == nil && len(e.tokens) > 0 {
		operate := levels[n][e.tokens[0]]
		if operate == nil {
			break
		}
		e.tokens = e.tokens[1:]
		var right formula
		right, err = e.level(n + 1)
		left = operate(left, right)
	}
	return left, err
}

// operand reads a service, a number, or an expression in parentheses, with signs of
// negation before it.
func (e *expression) operand() (formula, error) {
	if len(e.tokens) == 0 {
		return nil, errEval
	}
	token := e.tokens[0]
	e.tokens = e.tokens[1:]
	switch {
	case token == "!":
		f, err := e.operand()
		return negation{f}, err
	case token == "not": // it takes what follows with its own looseness, as everywhere in Perl
		f, err := e.level(levelNot)
		return negation{f}, err
	case token == "(":
		f, err := e.level(0)
		if closed := e.next(")"); err == nil && !closed {
			err = errEval
		}
		return f, err
	case token == "0" || token == "1":
		return constant(token == "1"), nil
	case strings.Contains(token, ":"):
		return e.meaning(token)
	}
	return nil, errEval
}
