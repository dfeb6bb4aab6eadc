// Package conf turns a TOML file into a validated Config, or into the list of
// its errors, each with file, line and key.
//
// Load reads the file and the files that it includes. The stages are:
//
//	bytes ⇒ toml ⇒ values (the tree of the TOML library with the line of every key)
//	      ⇒ sections (one file each: director.go, instance.go, service.go, ...)
//	      ⇒ checks across sections (refs.go) ⇒ warnings (warn*.go) ⇒ Config
//
// A function for each section visits its keys with their defaults. Reading, Show
// and the list of known keys all use this one function. So a new key is one line,
// and a new section is one new file and one line in Config.visit.
//
// The package does not ask the kernel. Whether an interface exists is checked
// where the interface is used.
package conf
