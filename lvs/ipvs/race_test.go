//go:build race

package ipvs

// underRace says whether this program was built with the race detector, whose memory
// layout does not fit into a process of User Mode Linux.
const underRace = true
