package lvs

import (
	"cmp"
	"slices"
)

// Plan returns the changes that lead from have, what the kernel holds, to
// want. ours tells whether a service that is in have and not in want is ours to
// delete; services in want are ours anyway, and all others stay as they are.
// Both lists are in canonical form, as [Table.Wanted] and a [Kernel] give
// them, each key and each address once; they may be in any order.
//
// The result depends on the content of its arguments alone and is in this
// order:
//
//   - service by service in the order of their keys, added or edited in place,
//     and after each its servers: first those that are added with a weight, then
//     all edits but those that set a weight to 0, then those and the servers
//     that are added with weight 0, then those that are deleted;
//   - last, services that are deleted (the kernel deletes their servers with
//     them).
//
// So a service that has a usable server in have and in want has one all the
// time, and a fallback server is there before the last server goes and goes
// after the first is back.
func Plan(have, want []Wanted, ours func(Key) bool) []Op {
	held := make(map[Key]*Wanted, len(have))
	for i := range have {
		held[have[i].Service.Key] = &have[i]
	}
	order := make([]*Wanted, len(want))
	for i := range want {
		order[i] = &want[i]
	}
	slices.SortFunc(order, byKey)

	var ops []Op
	for _, w := range order {
		h := held[w.Service.Key]
		delete(held, w.Service.Key)
		switch {
		case h == nil:
			ops = append(ops, Op{Verb: AddService, Service: w.Service})
			h = &Wanted{}
		case h.Service != w.Service:
			ops = append(ops, Op{Verb: EditService, Service: w.Service})
		}
		ops = planServers(ops, w.Service, h.Servers, w.Servers)
	}

	var gone []*Wanted
	for key, h := range held {
		if ours(key) {
			gone = append(gone, h)
		}
	}
	slices.SortFunc(gone, byKey)
	for _, h := range gone {
		ops = append(ops, Op{Verb: DeleteService, Service: h.Service})
	}
	return ops
}

// The order of changes within a service: what gives capacity comes before what
// takes it.
const (
	rankAdd = iota
	rankEdit
	rankLower
	rankDelete
)

type rankedOp struct {
	rank int
	op   Op
}

func planServers(ops []Op, service Service, have, want []Server) []Op {
	have, want = sorted(have), sorted(want)
	if slices.Equal(have, want) {
		return ops
	}
	var ranked []rankedOp
	add := func(rank int, verb Verb, s Server) {
		ranked = append(ranked, rankedOp{rank, Op{Verb: verb, Service: service, Server: s}})
	}
	for len(have) > 0 || len(want) > 0 {
		switch order := compareHeads(have, want); {
		case order < 0:
			add(rankDelete, DeleteServer, have[0])
			have = have[1:]
		case order > 0:
			rank := rankAdd
			if want[0].Weight == 0 {
				rank = rankLower
			}
			add(rank, AddServer, want[0])
			want = want[1:]
		default:
			if have[0] != want[0] {
				add(editRank(have[0], want[0]), EditServer, want[0])
			}
			have, want = have[1:], want[1:]
		}
	}
	slices.SortStableFunc(ranked, func(a, b rankedOp) int { return cmp.Compare(a.rank, b.rank) })
	for _, r := range ranked {
		ops = append(ops, r.op)
	}
	return ops
}

// compareHeads orders the first servers of two sorted lists; an empty list
// comes last.
func compareHeads(a, b []Server) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return a[0].Address.Compare(b[0].Address)
}

func editRank(have, want Server) int {
	if have.Weight > 0 && want.Weight == 0 {
		return rankLower
	}
	return rankEdit
}

// sorted returns servers in the order of their addresses, without changing
// the caller's slice.
func sorted(servers []Server) []Server {
	if slices.IsSortedFunc(servers, byAddress) {
		return servers
	}
	servers = slices.Clone(servers)
	slices.SortFunc(servers, byAddress)
	return servers
}

func byAddress(a, b Server) int { return a.Address.Compare(b.Address) }

func byKey(a, b *Wanted) int { return a.Service.Key.Compare(b.Service.Key) }

// Compare orders keys: by protocol (a fwmark service has 0), address, mark,
// family.
func (k Key) Compare(o Key) int {
	family := func(k Key) int {
		if k.IPv6 {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(k.Protocol, o.Protocol),
		k.Address.Compare(o.Address),
		cmp.Compare(k.Mark, o.Mark),
		cmp.Compare(family(k), family(o)),
	)
}
