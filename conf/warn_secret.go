package conf

import "os"

// warnOfSecrets warns of secrets in configuration files that others can read. A
// file that holds nothing but a secret is refused in that case, see readSecret.
func (c *Config) warnOfSecrets(s sections) {
	for i, t := range s.vrrp {
		keys, _ := t.keys["auth"].data.(map[string]value)
		a := &c.VRRP[i].Auth
		if a.Secret != "" && a.File == "" {
			t.in.warnOfReadable(keys["secret"], t.keyPath("auth.secret"))
		}
		for j := range a.Keys {
			if a.KeyFiles[j] == "" {
				t.in.warnOfReadable(keys["keys"], t.keyPath("auth.keys"))
				break
			}
		}
	}
}

// warnOfReadable warns if others can read the file in which a secret stands.
func (r *reader) warnOfReadable(secret value, key string) {
	if r.env.mode == nil {
		return
	}
	mode, known := r.modes[secret.file]
	if !known {
		mode, _ = r.env.mode(secret.file) // without one, there is nothing to say
		if r.modes == nil {
			r.modes = make(map[string]os.FileMode)
		}
		r.modes[secret.file] = mode
	}
	const forbidden = 0o037 // the daemon of the package reads its file as a member of the group
	if mode.IsRegular() && mode.Perm()&forbidden != 0 {
		r.warn(secret, key, "others can read or change this secret, because the file has mode %04o: chmod 640 %s, or use a secret_file",
			mode.Perm(), secret.file)
	}
}
