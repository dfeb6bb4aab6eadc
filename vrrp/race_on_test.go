//go:build race

package vrrp

// raceDetector says that the race detector slows everything down. Machines
// have one goroutine each, so that it finds nothing here that is worth a wait.
const raceDetector = true
