package conf

import "holdfast/checker/probe"

// visitLogin walks over the keys of a user and a password.
func visitLogin(t *table, s *probe.Login, inherited probe.Login) {
	field(t, "user", &s.User, text, inherited.User)
	visitSecret(t, "password_file", &s.PasswordFile, &s.Password, inherited.PasswordFile, inherited.Password)
}

// visitSecret walks over a key that names a file with a secret. A table that does not
// give the key has the secret that it inherits.
func visitSecret(t *table, key string, path *string, secret *probe.Secret, inheritedPath string, inherited probe.Secret) {
	field(t, key, path, optionalSecretPath, inheritedPath)
	switch {
	case !t.reading():
	case t.has(key):
		*secret = probe.Secret(readSecretFile(t, key, *path))
	default:
		*secret = inherited
	}
}
