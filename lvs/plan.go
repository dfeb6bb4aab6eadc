package lvs

import (
	"cmp"
	"slices"
)

// Plan returns the changes that turn have, the content of the kernel's table,
// into want. A service that is in have and not in want is deleted if ours reports
// true for its key, and left alone otherwise. Both lists must be canonical, as
// [Table.Wanted] and [Kernel.Dump] return them, with each key and each address
// once. Their order has no effect.
//
// The changes come in this order:
//
//  1. For each service of want, sorted by key: the service is added or edited.
//     Then its servers follow:
//     a) servers to add with a weight above 0,
//     b) edits, except those that set the weight to 0,
//     c) edits that set the weight to 0, and servers to add with weight 0,
//     d) servers to delete.
//  2. Services to delete. The kernel deletes their servers with them.
//
// Therefore a service that has a usable server in have and in want has one all
// the time. A fallback server is added before the last other server is deleted,
// and deleted after the first one is added again.
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

// The order of the changes within a service: first those that add capacity, then
// those that take it away.
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

// compareHeads compares the first servers of two sorted lists, one of which may be
// empty: a list that is empty comes after the other.
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

// sorted returns the servers sorted by address. It does not change the slice.
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

// Compare orders keys by protocol (0 for a fwmark service), address, mark and
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
