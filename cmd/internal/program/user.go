package program

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// credential returns the user and groups that the program runs as. nil means
// those of the daemon.
func (p *Program) credential() (*syscall.Credential, error) {
	if p.User == "" && p.Group == "" {
		return nil, nil
	}
	c := &syscall.Credential{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	if p.User != "" {
		u, err := lookupUser(p.User)
		if err != nil {
			return nil, err
		}
		if c.Uid, err = number(u.Uid); err != nil {
			return nil, err
		}
		if c.Gid, err = number(u.Gid); err != nil {
			return nil, err
		}
		groups, err := u.GroupIds()
		if err != nil {
			return nil, fmt.Errorf("find the groups of user %s: %w", p.User, err)
		}
		for _, text := range groups {
			g, err := number(text)
			if err != nil {
				return nil, err
			}
			c.Groups = append(c.Groups, g)
		}
	}
	if p.Group != "" {
		gid, err := LookupGroup(p.Group)
		if err != nil {
			return nil, err
		}
		c.Gid = gid
	}
	return c, nil
}

// uid returns the id of the user that the program runs as.
func (p *Program) uid() (uint32, error) {
	c, err := p.credential()
	if err != nil || c == nil {
		return uint32(os.Geteuid()), err
	}
	return c.Uid, nil
}

// Owner returns the ids of a user and a group, each given as a name or a number.
// User "" is the daemon's; group "" is the user's primary group.
func Owner(user, group string) (uid, gid int, err error) {
	c, err := (&Program{User: user, Group: group}).credential()
	if err != nil || c == nil {
		return os.Geteuid(), os.Getegid(), err
	}
	return int(c.Uid), int(c.Gid), nil
}

func lookupUser(name string) (*user.User, error) {
	u, err := user.Lookup(name)
	if unknown := user.UnknownUserError(""); !errors.As(err, &unknown) {
		return u, err
	}
	if u, err := user.LookupId(name); err == nil {
		return u, nil
	}
	return nil, fmt.Errorf("unknown user %q", name)
}

// LookupGroup returns the id of a group that is given as a name or a number.
func LookupGroup(name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if err == nil {
		return number(g.Gid)
	}
	if unknown := user.UnknownGroupError(""); !errors.As(err, &unknown) {
		return 0, err
	}
	if gid, err := number(name); err == nil {
		return gid, nil
	}
	return 0, fmt.Errorf("unknown group %q", name)
}

func number(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a user or group id", text)
	}
	return uint32(n), nil
}

// IsRoot reports whether the daemon, and what it starts without a user, is root.
func IsRoot() bool { return os.Geteuid() == 0 }
