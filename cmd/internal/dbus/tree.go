//go:build dbus

package dbus

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Object paths and interface names. The first four are those of keepalived.
const (
	root         = "/org/keepalived/Vrrp1"
	routerPath   = root + "/Vrrp"
	ifaceRouter  = "org.keepalived.Vrrp1.Vrrp"
	ifaceMember  = "org.keepalived.Vrrp1.Instance"
	ifaceProps   = "org.freedesktop.DBus.Properties"
	ifaceInspect = "org.freedesktop.DBus.Introspectable"
)

// words are keepalived's names of the states.
var words = map[State]string{Init: "Init", Backup: "Backup", Master: "Master", Fault: "Fault", Stop: "Stop"}

// path returns the object path of an instance.
func (i *Instance) path() string {
	family := "IPv4"
	if i.IPv6 {
		family = "IPv6"
	}
	return root + "/Instance/" + element(i.Interface) + "/" + strconv.Itoa(int(i.VRID)) + "/" + family
}

// element converts a name to an element of an object path. Like keepalived, it
// replaces each character that is not a letter or digit with an underscore.
func element(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// A tree holds the instances by object path.
type tree struct {
	byPath map[string]*Instance
	paths  map[string]string   // by instance name
	nodes  map[string][]string // names of child nodes by path; nil: below builds it
}

func newTree() tree {
	return tree{byPath: map[string]*Instance{}, paths: map[string]string{}}
}

// add adds or replaces an instance. If another instance already has its path, add
// changes nothing and returns that other instance.
func (t *tree) add(i Instance) *Instance {
	path := i.path()
	if has := t.byPath[path]; has != nil && has.Name != i.Name {
		return has
	}
	t.byPath[path], t.paths[i.Name] = &i, path
	t.nodes = nil
	return nil
}

func (t *tree) remove(name string) {
	delete(t.byPath, t.paths[name])
	delete(t.paths, name)
	t.nodes = nil
}

// sorted returns the paths of all instances.
func (t *tree) sorted() []string { return slices.Sorted(maps.Keys(t.byPath)) }

// below returns the names of the child nodes of a path. It also reports whether
// the path exists.
func (t *tree) below(path string) (names []string, exists bool) {
	if t.nodes == nil {
		t.nodes = map[string][]string{"/": nil}
		for _, p := range append(t.sorted(), routerPath) {
			t.grow(p)
		}
	}
	names, exists = t.nodes[path]
	return names, exists
}

// grow adds the nodes of a path that do not exist yet.
func (t *tree) grow(path string) {
	for path != "/" {
		if _, there := t.nodes[path]; !there {
			t.nodes[path] = nil
		}
		i := strings.LastIndexByte(path, '/')
		name, parent := path[i+1:], path[:max(i, 1)]
		if slices.Contains(t.nodes[parent], name) {
			return
		}
		t.nodes[parent] = append(t.nodes[parent], name)
		path = parent
	}
}
