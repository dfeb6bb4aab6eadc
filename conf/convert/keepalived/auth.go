package keepalived

import (
	"strings"

	"holdfast/conf/convert"
)

// maxPassword is how many characters of auth_pass count.
const maxPassword = 8

// draftAuth makes [vrrp.auth].
func (c *converter) draftAuth(t *convert.Table, in *instance) {
	if d := in.word("auth_hmac"); d != nil {
		c.draftHMAC(t, d)
	}
	d := in.word("authentication")
	if d == nil {
		return
	}
	kind, pass := last(d.body, "auth_type"), last(d.body, "auth_pass")
	if in.version == 3 || in.strict {
		c.report.Note(d.at, "keepalived ignores the authentication, because of version 3 or strict mode")
		return
	}
	name := ""
	if kind != nil {
		name = map[string]string{"PASS": "password", "AH": "ah", "none": "", "NONE": ""}[kind.arg(1)]
	}
	switch {
	case kind == nil || name == "":
		c.report.Person(d.at, "the authentication has no auth_type that keepalived knows, PASS or AH: it sends without authentication")
		return
	case pass == nil || pass.arg(1) == "":
		c.report.Person(d.at, "the authentication has no auth_pass: keepalived sends without authentication")
		return
	}
	secret := pass.arg(1)
	if len(secret) > maxPassword {
		c.report.Note(pass.at, "auth_pass has more than %d characters: keepalived cuts it, and so was done here", maxPassword)
		secret = secret[:maxPassword]
	}
	auth := t.Sub("auth", d.at)
	auth.Set(kind.at, "type", name)
	auth.Set(pass.at, "secret_file", c.draft.Secret(c.in.Dir, "vrrp", "secret", secret))
}

// draftHMAC makes [vrrp.auth] of auth_hmac.
func (c *converter) draftHMAC(t *convert.Table, d *directive) {
	auth := t.Sub("auth", d.at)
	auth.Set(d.at, "type", "hmac")
	var keys []any
	for _, k := range all(d.body, "key") {
		id, ok := number(k.arg(1), 1, 255)
		if !ok || k.arg(2) == "" {
			c.report.Person(k.at, "a key needs an id from 1 to 255 and a secret")
			continue
		}
		file, fromFile := strings.CutPrefix(k.arg(2), "file:")
		secret := k.arg(2)
		if fromFile {
			if secret, ok = c.hmacFile(k, file); !ok {
				continue
			}
		}
		path := c.draft.Secret(c.in.Dir, "vrrp-hmac", "key", secret)
		keys = append(keys, convert.Inline{{Key: "id", Value: id}, {Key: "secret_file", Value: path}})
	}
	auth.Set(d.at, "keys", keys)
	if k := last(d.body, "active_key"); k != nil {
		if n, ok := number(k.arg(1), 1, 255); ok {
			auth.Set(k.at, "active_key", n)
		}
	}
	if k := last(d.body, "mode"); k != nil {
		auth.Set(k.at, "mode", k.arg(1))
	}
	if k := last(d.body, "time_window"); k != nil {
		if v, ok := seconds(k.arg(1)); ok {
			auth.Set(k.at, "time_window", duration(v))
		}
	}
	if k := last(d.body, "anti_replay"); k != nil && k.arg(1) == "monotonic" {
		auth.Set(k.at, "time_window", "0s")
	}
}

// hmacFile returns the secret in a file, which the result has in a file of its own.
func (c *converter) hmacFile(k *directive, file string) (secret string, ok bool) {
	if c.in.Read != nil {
		if content, err := c.in.Read(file); err == nil {
			if secret = strings.TrimSpace(string(content)); secret != "" {
				return secret, true
			}
		}
	}
	c.report.Person(k.at, "the secret in %s cannot be read here: write secret_file with its path, or with a name alone if it is a credential of systemd (LoadCredential= of holdfast.service)", file)
	return "", false
}
