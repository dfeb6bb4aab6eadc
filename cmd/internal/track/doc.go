// Package track checks things other than a virtual router's own interface on
// which its mastership may depend, and decides which of them are up.
//
// A [Set] runs trackers. A tracker either looks at its subject at an interval
// or receives readings from elsewhere. Rise good readings in a row make it up,
// Fall bad ones make it down. One goroutine keeps the schedule of all trackers;
// a tracker has a goroutine of its own only while it looks. [Script], [File] and
// [Processes] provide ways to look, and the caller may add others.
//
// [Standing.On] says what a tracker does to the priority of a virtual router.
package track
