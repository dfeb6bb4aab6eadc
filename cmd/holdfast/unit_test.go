package main

import (
	"os"
	"strings"
	"testing"
)

// The unit file must not name a command that does not exist.
func TestUnitFileCallsCommandsThatExist(t *testing.T) {
	unit, err := os.ReadFile("holdfast.service")
	if err != nil {
		t.Fatal(err)
	}
	called := 0
	for line := range strings.Lines(string(unit)) {
		_, command, ok := strings.Cut(line, "=/usr/local/sbin/holdfast ")
		if !ok {
			continue
		}
		called++
		args := strings.Fields(command)
		found, rest, err := newRoot().Find(args)
		if err != nil || found.Name() != args[0] || len(rest) != len(args)-1 {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if called < 2 {
		t.Errorf("%d calls found", called)
	}
}
