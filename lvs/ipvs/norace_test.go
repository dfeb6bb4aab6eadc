//go:build !race

package ipvs

const underRace = false
