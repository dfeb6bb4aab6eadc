// Package keepalived converts keepalived.conf to a configuration of holdfast.
//
// The files are read as keepalived 2.2.7 reads them. lines.go expands includes,
// conditions, definitions and repetitions to logical lines; parse.go makes blocks of
// the lines by the table of words in grammar.go and the table_*.go files; the other
// files translate one family of blocks each. What keepalived did with a line counts,
// not what the line seems to say.
package keepalived
