package checker

import "container/heap"

// An agenda holds the questions whose attempts do not run, the next one due
// first.
type agenda []*question

func (a *agenda) add(q *question)    { heap.Push(a, q) }
func (a *agenda) remove(q *question) { heap.Remove(a, q.index) }
func (a *agenda) moved(q *question)  { heap.Fix(a, q.index) }

// Len, Less, Swap, Push and Pop are for container/heap.
func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

func (a *agenda) Push(x any) {
	q := x.(*question)
	q.index = len(*a)
	*a = append(*a, q)
}

func (a *agenda) Pop() any {
	last := len(*a) - 1
	q := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return q
}
