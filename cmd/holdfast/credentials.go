package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/netdev/statefile"
)

// systemd gives credentials to the daemon, but not to what runs after its end: release,
// which needs them to read the configuration and to sign that it gives up. So the daemon
// keeps copies in its runtime directory, for as long as it runs or has crashed.

const credentialsVariable = "CREDENTIALS_DIRECTORY"

func credentialCopies(runtimeDir string) string { return filepath.Join(runtimeDir, "credentials") }

// keepCredentials copies the credentials of this process. The runtime directory must be
// the daemon's own.
func keepCredentials(runtimeDir string) error {
	from, to := os.Getenv(credentialsVariable), credentialCopies(runtimeDir)
	if from == "" {
		return nil
	}
	entries, err := os.ReadDir(from)
	if err == nil {
		err = errors.Join(dropCredentials(runtimeDir), os.Mkdir(to, 0o700))
	}
	for _, e := range entries {
		if err != nil {
			break
		}
		var content []byte
		if content, err = os.ReadFile(filepath.Join(from, e.Name())); err == nil {
			err = statefile.Replace(filepath.Join(to, e.Name()), content)
		}
	}
	if err != nil {
		return fmt.Errorf("keep the credentials for a release after a crash: %w", err)
	}
	return nil
}

// dropCredentials removes the copies.
func dropCredentials(runtimeDir string) error { return os.RemoveAll(credentialCopies(runtimeDir)) }

// useKeptCredentials has this process read the copies, if there are any. systemd 252 sets
// the variable for what runs after the daemon's end too, but that must not read the files.
func useKeptCredentials(runtimeDir string) error {
	copies := credentialCopies(runtimeDir)
	if _, err := os.Stat(copies); err != nil {
		return nil // the configuration says which credential is missing
	}
	return os.Setenv(credentialsVariable, copies)
}
