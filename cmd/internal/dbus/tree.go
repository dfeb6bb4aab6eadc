//go:build dbus

package dbus

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Names of keepalived's interface.
const (
	root         = "/org/keepalived/Vrrp1"
	routerPath   = root + "/Vrrp"
	ifaceRouter  = "org.keepalived.Vrrp1.Vrrp"
	ifaceMember  = "org.keepalived.Vrrp1.Instance"
	ifaceProps   = "org.freedesktop.DBus.Properties"
	ifaceInspect = "org.freedesktop.DBus.Introspectable"
)

// words are keepalived's for the states.
var words = map[State]string{Init: "Init", Backup: "Backup", Master: "Master", Fault: "Fault", Stop: "Stop"}

// path is where the object of an instance is.
func (i *Instance) path() string {
	family := "IPv4"
	if i.IPv6 {
		family = "IPv6"
	}
	return root + "/Instance/" + element(i.Interface) + "/" + strconv.Itoa(int(i.VRID)) + "/" + family
}

// element makes a name fit for an object path, as keepalived does.
func element(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// A tree is the instances by their paths.
type tree struct {
	byPath map[string]*Instance
	paths  map[string]string   // by the instance's name
	nodes  map[string][]string // by path, the names directly below it; nil: to be worked out
}

func newTree() tree {
	return tree{byPath: map[string]*Instance{}, paths: map[string]string{}}
}

// add returns the instance that has the path already, if another has.
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

// below returns the names of the nodes directly below a path, and whether there
// is such a path.
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

// grow makes the nodes of a path, as far as they are not there.
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
