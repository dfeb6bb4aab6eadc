package alert

// Statuses are exit statuses of a monitor, as ranges with both ends.
type Statuses [][2]int

// has reports whether a status is one of them.
func (s Statuses) has(status int) bool {
	for _, r := range s {
		if r[0] <= status && status <= r[1] {
			return true
		}
	}
	return false
}
