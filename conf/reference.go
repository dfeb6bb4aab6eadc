package conf

import _ "embed"

// Reference is a valid configuration file that documents every key.
//
//go:embed reference.toml
var Reference string
