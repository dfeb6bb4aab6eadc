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
	if r.env.stat == nil {
		return
	}
	holder, known := r.holders[secret.file]
	if !known {
		holder, _ = r.env.stat(secret.file) // without it, there is nothing to say
		if r.holders == nil {
			r.holders = make(map[string]os.FileInfo)
		}
		r.holders[secret.file] = holder
	}
	if holder == nil || !holder.Mode().IsRegular() {
		return
	}
	if most, open := tooOpen(holder.Mode(), owner(holder)); open {
		r.warn(secret, key, "others can read or change this secret, because the file has mode %04o: chmod %o %s, or use a secret_file",
			holder.Mode().Perm(), most, secret.file)
	}
}
