package conf

import (
	"fmt"
	"io/fs"
	"strconv"
)

// Socket says who may use the control socket. Groups are names or numbers.
type Socket struct {
	Mode fs.FileMode // permission bits: who can connect may read
	// Group is the group of the socket; "": that of the daemon, or WriteGroup if there
	// is one.
	Group      string
	WriteGroup string // its members may change something too; "": root and the daemon's user alone
}

// fileMode is the mode of a file, as chmod takes it.
var fileMode = textual("an octal mode", func(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 16)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf(`must be an octal mode like "0660", not %s`, quoteShort(s))
	}
	return fs.FileMode(n), nil
}, func(m fs.FileMode) string { return fmt.Sprintf("%04o", m) })

func (s *Socket) visit(t *table) {
	field(t, "mode", &s.Mode, fileMode, 0o660)
	field(t, "group", &s.Group, anyAccount, "")
	field(t, "write_group", &s.WriteGroup, anyAccount, "")
}
