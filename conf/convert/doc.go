// Package convert has what the converters of other programs' configurations
// share: the report about every directive, and the draft of the result.
//
// A converter parses its files, adds a block of TOML to a Draft for everything
// that it translates, and a Finding to the Report for everything else. Finish
// loads the draft as a configuration. What holdfast refuses becomes a Finding at
// the directive that it came from, so the result is always valid.
package convert
