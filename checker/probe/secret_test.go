package probe

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNotPrinted(t *testing.T) {
	s := Secret("hunter2")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "password", s)
	text, err := json.Marshal(struct{ S Secret }{s})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %s %q %x %+v %#v %s %s", s, s, s, s, struct{ S Secret }{s}, s, text, log.String())
	if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e") || !strings.Contains(shown, masked) {
		t.Errorf("shown: %s", shown)
	}
	if string(s) != "hunter2" {
		t.Error("a conversion changes the content")
	}
}
