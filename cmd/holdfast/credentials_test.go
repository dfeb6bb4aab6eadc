package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Release reads what systemd gave to the daemon, and nothing is left after a clean stop.
func TestKeptCredentials(t *testing.T) {
	given, run := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(given, "key"), []byte("secret"), 0o400); err != nil {
		t.Fatal(err)
	}
	t.Setenv(credentialsVariable, given)
	for range 2 { // a daemon that was upgraded keeps them again
		if err := keepCredentials(run); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(credentialsVariable, "/run/credentials/unreadable") // as with systemd 252
	if err := useKeptCredentials(run); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(os.Getenv(credentialsVariable), "key")
	content, err := os.ReadFile(kept)
	if err != nil || string(content) != "secret" {
		t.Errorf("%q, %v", content, err)
	}
	for path, want := range map[string]os.FileMode{kept: 0o600, filepath.Dir(kept): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, want)
		}
	}
	if err := dropCredentials(run); err != nil {
		t.Fatal(err)
	}
	t.Setenv(credentialsVariable, "")
	if err := useKeptCredentials(run); err != nil || os.Getenv(credentialsVariable) != "" {
		t.Errorf("%v, %s: nothing was kept", err, os.Getenv(credentialsVariable))
	}
}

func TestNoCredentialsToKeep(t *testing.T) {
	t.Setenv(credentialsVariable, "")
	run := t.TempDir()
	if err := keepCredentials(run); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(credentialCopies(run)); err == nil {
		t.Error("a folder without credentials was made")
	}
}
