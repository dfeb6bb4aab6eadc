package probe

import (
	"regexp"
	"strings"
)

// SSH exchanges versions with an SSH server (RFC 4253 §4.2) and goes. It does not
// log in.
type SSH struct {
	Banner string // regular expression that the server's version must match; "": any
}

// Kind returns "ssh".
func (SSH) Kind() string { return "ssh" }

// Needs returns NeedsPort.
func (SSH) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s SSH) Validate() FieldErrors {
	var errs FieldErrors
	errs.pattern("banner", s.Banner)
	return errs
}

func (s SSH) prober(_ *Tools, to Target) Prober {
	dialog := defaultDialog(false)
	banner := compile(s.Banner)
	// Our version in the place of a farewell: OpenSSH logs an error if a client
	// goes without it, and with it one line of level INFO.
	return dialog.newProber(to, "", func(t *talk) error {
		if err := t.versions(banner); err != nil {
			return err
		}
		return t.say("version", "SSH-2.0-holdfast")
	})
}

// versions reads the server's version, which other lines may come before.
func (t *talk) versions(banner *regexp.Regexp) error {
	t.step = "banner"
	for {
		line, err := t.line()
		switch {
		case err != nil:
			return err
		case !strings.HasPrefix(line, "SSH-"):
			continue
		// 1.99 is a server that knows version 1 as well (RFC 4253 §5.1).
		case !strings.HasPrefix(line, "SSH-2.0-") && !strings.HasPrefix(line, "SSH-1.99-"):
			return t.unwanted(line, "SSH-2.0")
		case banner != nil && !banner.MatchString(line):
			return t.unwanted(line, "a match of "+excerpt([]byte(banner.String())))
		}
		return nil
	}
}
