package conf

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// serviceCredentials is where systemd puts the credentials of our unit. A command that is
// run by hand has no $CREDENTIALS_DIRECTORY, and finds them there while the service runs.
const serviceCredentials = "/run/credentials/holdfast.service"

// maxCredentialName is FDNAME_MAX of systemd (src/basic/fd-util.h), which bounds the name
// of a credential.
const maxCredentialName = 255

// secretPath is where a secret is read from: the absolute path of a file, or the name of
// a credential that systemd gives to the service (LoadCredential= in systemd.exec(5)).
var secretPath = textual("an absolute path", func(s string) (string, error) {
	if strings.HasPrefix(s, "/") {
		return absolutePath.decodeText(s)
	}
	return s, checkCredentialName(s)
}, func(s string) string { return s })

// optionalSecretPath is a secretPath, or "" for none.
var optionalSecretPath = textual("an absolute path", func(s string) (string, error) {
	if s == "" {
		return s, nil
	}
	return secretPath.decodeText(s)
}, func(s string) string { return s })

// checkCredentialName refuses what systemd refuses as the name of a credential.
func checkCredentialName(s string) error {
	good := s != "" && s != "." && s != ".." && len(s) <= maxCredentialName
	for _, r := range s {
		good = good && r >= ' ' && r < 0x7f && r != ':' && r != '/'
	}
	if !good {
		return fmt.Errorf("must be an absolute path, or the name of a credential of the systemd unit, not %s", quoteShort(s))
	}
	return nil
}

// readCredential reads a credential of the systemd unit. systemd shows the access list of
// the service's user as the rights of the group, which may therefore read. Where the file
// system has no access lists, it gives the directory and the files to that user, and root
// reads them too when it runs a command by hand (src/core/execute.c in systemd 252).
func readCredential(name string) ([]byte, error) {
	given := os.Getenv("CREDENTIALS_DIRECTORY")
	dir := cmp.Or(given, serviceCredentials)
	info, err := os.Stat(dir)
	if given == "" && (err != nil || !info.IsDir()) {
		return nil, fmt.Errorf("credential %q: this process has no credentials of systemd, and %s does not exist "+
			"(LoadCredential=%s:PATH in a drop-in of holdfast.service)", name, dir, name)
	}
	var b []byte
	if err == nil {
		b, err = readPrivate(filepath.Join(dir, name), owner(info))
	}
	if err != nil {
		return nil, fmt.Errorf("credential %q: %w", name, err)
	}
	return b, nil
}
