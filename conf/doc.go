// Package conf turns a TOML file into a validated Config, or into every error
// that the file has, each with its file, line and key.
//
// Load reads the file and the files it includes. The stages are:
//
//	bytes ⇒ toml ⇒ values (toml's tree joined with the line of every key)
//	      ⇒ sections (one file each: director.go, instance.go, service.go, ...)
//	      ⇒ checks across sections (refs.go) ⇒ Config
//
// Each section is described once, by a function that visits its keys with
// their defaults. Reading, Show and the list of known keys all walk that one
// description, so a new key is one line, and a new section is one new file and
// one line in Config.visit.
//
// The package knows nothing of the kernel: whether an interface exists is
// asked where it is needed.
package conf
