package conf

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/auth"
)

// Auth is how a virtual router authenticates its adverts.
type Auth struct {
	auth.Config
	File     string   // path of the file with Secret; "": Secret stands in the configuration
	KeyFiles []string // the same for each element of Keys
}

// Name returns the value of the key type, and "" for none.
func (a *Auth) Name() string {
	if a.Kind == auth.None {
		return ""
	}
	return fmt.Sprint(authKind.encode(a.Kind))
}

// notShown is what Show writes instead of a secret.
const notShown = "(not shown)"

var authKind = choice(
	option[auth.Kind]{"none", auth.None},
	option[auth.Kind]{"password", auth.Password},
	option[auth.Kind]{"ah", auth.Header},
	option[auth.Kind]{"hmac", auth.HMAC},
)

var authMode = choice(
	option[auth.Mode]{"enforce", auth.Enforce},
	option[auth.Mode]{"permissive", auth.Permissive},
	option[auth.Mode]{"receive-only", auth.ReceiveOnly},
)

// visitAuth walks over [vrrp.auth].
func (in *Instance) visitAuth(t *table) {
	a := &in.Auth
	window := max(5*time.Second, (3*in.Interval + time.Second - 1).Truncate(time.Second))
	field(t, "type", &a.Kind, authKind, auth.None)
	if !t.reading() && a.Kind == auth.None {
		return
	}
	simple := a.Kind == auth.Password || a.Kind == auth.Header
	if t.reading() || simple && a.File == "" {
		field(t, "secret", &a.Secret, secret, "")
	}
	if t.reading() || simple && a.File != "" {
		field(t, "secret_file", &a.File, optionalSecretPath, "")
	}
	keys := a.authKeys()
	if t.reading() || a.Kind == auth.HMAC {
		field(t, "keys", &keys, authKeyList, nil)
		field(t, "active_key", &a.Active, integer[uint8](0, 255), 0)
		field(t, "mode", &a.Mode, authMode, auth.Enforce)
		field(t, "time_window", &a.Window, duration(0, 300*time.Second), min(window, 300*time.Second))
	}
	if t.reading() && t.ok("type") {
		a.resolve(t, in.Version, keys)
		in.AuthType = a.Type()
	}
}

// resolve reads the secret files and checks combinations of keys.
func (a *Auth) resolve(t *table, version uint8, keys []authKey) {
	why := fmt.Sprintf("with type = %q", authKind.encode(a.Kind))
	if a.Kind != auth.HMAC {
		forbidUnless(t, why, map[string]bool{"keys": len(keys) == 0, "active_key": a.Active == 0, "mode": a.Mode == auth.Enforce})
		keys, a.Active, a.Mode, a.Window = nil, 0, auth.Enforce, 0
	}
	if a.Kind == auth.None || a.Kind == auth.HMAC {
		forbidUnless(t, why, map[string]bool{"secret": a.Secret == "", "secret_file": a.File == ""})
		a.Secret, a.File = "", ""
	}
	switch {
	case a.Secret != "" && a.File != "":
		t.failf("secret_file", "has no effect beside secret: use one of them")
	case a.File != "":
		var err error
		if a.Secret, err = t.in.env.secret(a.File); err != nil {
			t.failf("secret_file", "%v", err)
		}
	}
	for _, k := range keys {
		if k.file != "" {
			var err error
			if k.Secret, err = t.in.env.hexSecret(k.file); err != nil {
				t.failf("keys", "%v", err)
			}
		}
		a.Keys, a.KeyFiles = append(a.Keys, k.Key), append(a.KeyFiles, k.file)
	}
	if a.Active == 0 && len(a.Keys) > 0 && t.ok("active_key") {
		a.Active = a.Keys[0].ID
	}
	if !t.ok("secret", "secret_file", "keys") {
		return
	}
	for _, fault := range faults(a.Validate(version)) {
		if f, ok := errors.AsType[*vrrp.FieldError](fault); ok && t.ok(f.Key) {
			t.failf(f.Key, "%s", f.Problem)
		}
	}
}

// forbidUnless is forbid for keys that are allowed while they have their
// defaults: silent tells which have.
func forbidUnless(t *table, why string, silent map[string]bool) {
	for _, key := range slices.Sorted(maps.Keys(silent)) {
		if !silent[key] && t.ok(key) {
			t.forbid(why, key)
		}
	}
}

// secret is text that neither messages nor Show contain.
var secret = codec[auth.Secret]{
	decode: func(v value, fail func(value, string)) (auth.Secret, bool) {
		s, ok := v.data.(string)
		switch {
		case !ok:
			fail(v, "must be text in quotes")
		case s == notShown:
			fail(v, "is the placeholder of config show: write the secret itself")
			ok = false
		}
		return auth.Secret(s), ok
	},
	encode: func(s auth.Secret) any {
		if s == "" {
			return nil
		}
		return notShown
	},
}

// An authKey is an HMAC key. It comes from file, unless that is "".
type authKey struct {
	auth.Key
	file string
}

func (a *Auth) authKeys() []authKey {
	var list []authKey
	for i, k := range a.Keys {
		list = append(list, authKey{k, a.KeyFiles[i]})
	}
	return list
}

var authKeyList = codec[[]authKey]{
	decode: func(v value, fail func(value, string)) ([]authKey, bool) {
		items, ok := v.data.([]value)
		if !ok {
			fail(v, `must be a list of tables like { id = 1, secret_file = "/etc/holdfast/vrrp.key" }`)
			return nil, false
		}
		var list []authKey
		for _, item := range items {
			k, good := decodeAuthKey(item, fail)
			list, ok = append(list, k), ok && good
		}
		return list, ok
	},
	encode: func(list []authKey) any {
		if len(list) == 0 {
			return nil
		}
		items := make([]any, len(list))
		for i, k := range list {
			shown := InlineTable{{"id", int64(k.ID)}, {"secret", notShown}}
			if k.file != "" {
				shown[1].Key, shown[1].Value = "secret_file", k.file
			}
			items[i] = shown
		}
		return items
	},
}

func decodeAuthKey(v value, fail func(value, string)) (authKey, bool) {
	var k authKey
	keys, ok := v.data.(map[string]value)
	if !ok {
		fail(v, `must be a table like { id = 1, secret_file = "/etc/holdfast/vrrp.key" }`)
		return k, false
	}
	known := []string{"id", "secret", "secret_file"}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		var good bool
		switch item := keys[key]; key {
		case "id":
			k.ID, good = integer[uint8](1, 255).decode(item, fail)
		case "secret":
			if k.Secret, good = secret.decode(item, fail); good {
				var err error
				if k.Secret, err = unhex(k.Secret); err != nil {
					fail(item, err.Error())
					good = false
				}
			}
		case "secret_file":
			k.file, good = secretPath.decode(item, fail)
		default:
			fail(item, unknownKey(key, known))
			good = false
		}
		ok = ok && good
	}
	if ok && (k.ID == 0 || (k.Secret == "") == (k.file == "")) {
		fail(v, "a key needs an id, and either a secret or a secret_file")
		return k, false
	}
	return k, ok
}

// unhex decodes a key that begins with "hex:". Any other key is its own bytes.
func unhex(s auth.Secret) (auth.Secret, error) {
	digits, ok := strings.CutPrefix(string(s), "hex:")
	if !ok {
		return s, nil
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return "", errors.New("must have pairs of hexadecimal digits after the prefix hex:, and nothing else")
	}
	return auth.Secret(b), nil
}

// secret returns the content of a secret file without the final line end.
func (e environment) secret(path string) (auth.Secret, error) {
	if e.readSecret == nil {
		return "", fmt.Errorf("open %s: there are no files here", path)
	}
	b, err := e.readSecret(path)
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if err == nil && text == "" {
		err = fmt.Errorf("%s is empty", path)
	}
	return auth.Secret(text), err
}

// hexSecret is secret for a key, which can have hexadecimal digits.
func (e environment) hexSecret(path string) (auth.Secret, error) {
	s, err := e.secret(path)
	if err != nil {
		return "", err
	}
	if s, err = unhex(s); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
