// Package schema holds the JSON Schemas in docs/ to the Go types that they describe, and
// real output to the schemas. Only tests use it.
//
// Each side has what it knows best. The Go types say which properties there are, their
// types and which of them are always there: Update writes that. The file says in words
// what a property means, and may narrow its values: Update keeps that.
package schema
