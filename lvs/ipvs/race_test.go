//go:build race

package ipvs

// underRace tells that the race detector is in this program. Its memory map
// does not fit into a process of User Mode Linux.
const underRace = true
