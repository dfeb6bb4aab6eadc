// Package journal keeps the events of the director in a file, so that they outlast the
// daemon.
//
// The file has one JSON object a line: the start of a daemon, or an event. When it is
// full it becomes FILE.1, in place of the one before. The writer is a reader of the
// journal in memory like any other: what the disk does not take yet waits there, and
// nothing waits for the disk.
package journal
