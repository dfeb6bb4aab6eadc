// Package track looks at things besides a virtual router's own interface on
// which its mastership may depend, and says which of them are well.
//
// A [Set] runs trackers: each looks at intervals, or is told, and its readings
// become a verdict after Rise good or Fall bad ones in a row. A tracker has a
// goroutine only while it looks; one goroutine keeps the schedule of all.
// [Script], [File] and [Process] are ways to look; others come from outside.
//
// What a verdict does to a priority is arithmetic, and stands in [Effect].
package track
