package director

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"holdfast/cmd/internal/status"
	"holdfast/lvs"
	"holdfast/netdev/statefile"
)

// savedOrders are what operators have changed at run time, in the file orders.json of
// the runtime directory: a later run goes on with it, also after a crash.
type savedOrders struct {
	path    string
	log     *slog.Logger
	content lvs.Memory // Overrides only, as the file has them
	failed  error      // of the last save
}

// readOrders reads what a former run wrote. Without it a server that was drained gets
// connections again, and the log says so.
func readOrders(dir string, log *slog.Logger) *savedOrders {
	o := &savedOrders{path: filepath.Join(dir, "orders.json"), log: log}
	if _, err := readFile(o.path, &o.content); err != nil {
		o.content = lvs.Memory{}
		log.Warn("which servers operators have drained is not known", "err", err)
	}
	return o
}

// save writes the file if the overrides have changed. It returns the problem that they
// are not saved; the caller tries again some time later.
func (o *savedOrders) save(table *lvs.Table) []status.Problem {
	now := table.Memory().Overrides
	if !slices.EqualFunc(now, o.content.Overrides, sameOverride) {
		o.write(lvs.Memory{Overrides: now})
	}
	if o.failed == nil {
		return nil
	}
	text := fmt.Sprintf("what operators have changed would not outlast a restart: %v", o.failed)
	return []status.Problem{{Kind: "journal", Name: "orders", Text: text}}
}

func (o *savedOrders) write(content lvs.Memory) {
	former := errorText(o.failed)
	if len(content.Overrides) == 0 {
		o.failed = statefile.Remove(o.path)
	} else if b, err := json.Marshal(content); err != nil {
		o.failed = err
	} else {
		o.failed = statefile.Replace(o.path, b)
	}
	if o.failed == nil {
		o.content = content
	} else if former != o.failed.Error() {
		o.log.Error("what operators have changed is not saved", "err", o.failed)
	}
}

// sameOverride compares by value: an override has pointers, and times with and without
// the monotonic clock.
func sameOverride(a, b lvs.SavedOverride) bool {
	sameOrder := func(a, b *lvs.Order) bool {
		return a == b || a != nil && b != nil && a.By == b.By && a.At.Equal(b.At) && a.Until.Equal(b.Until)
	}
	sameWeight := a.Weight == b.Weight || a.Weight != nil && b.Weight != nil &&
		a.Weight.Weight == b.Weight.Weight && sameOrder(&a.Weight.Order, &b.Weight.Order)
	return a.SavedServer == b.SavedServer && sameWeight && sameOrder(a.Drained, b.Drained)
}
