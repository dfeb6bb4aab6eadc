//go:build dbus

package dbus

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// A handler answers method calls. It builds its tables for each call, from the
// instances that exist at that time.
type handler struct {
	service *Service
	life    context.Context // context of the link; the library passes none to a call
}

// An object holds the methods of a D-Bus object, by interface.
type object map[string]methods

type methods map[string]method

// A method implements dbus.Method.
type method struct {
	in   []any // zero values of the argument types
	call func(args []any) ([]any, error)
}

// LookupObject implements dbus.Handler.
func (h *handler) LookupObject(path dbus.ObjectPath) (dbus.ServerObject, bool) {
	s := h.service
	s.mu.Lock()
	defer s.mu.Unlock()
	below, exists := s.tree.below(string(path))
	if !exists {
		return nil, false
	}
	o := object{}
	own := ""
	switch i := s.tree.byPath[string(path)]; {
	case i != nil:
		own = memberXML
		o[ifaceMember] = methods{"SendGarp": h.action("SendGarp", i.Name, func(ctx context.Context) error {
			return s.director.Announce(ctx, i.Name)
		})}
		o[ifaceProps] = properties(ifaceMember, map[string]any{"Name": nameOf(i.Name), "State": stateOf(i.State)})
	case path == routerPath:
		own = routerXML
		o[ifaceRouter] = methods{}
		for name, f := range s.methodsOfRouter() {
			o[ifaceRouter][name] = h.action(name, "", f)
		}
		o[ifaceProps] = properties(ifaceRouter, nil)
	}
	o[ifaceInspect] = methods{"Introspect": {call: func([]any) ([]any, error) {
		return []any{describe(own, below)}, nil
	}}}
	return o, true
}

// action returns a method that has no arguments and no results. The method runs f
// through Service.do.
func (h *handler) action(name, instance string, f func(context.Context) error) method {
	return method{call: func([]any) ([]any, error) {
		return nil, h.service.do(h.life, name, instance, f)
	}}
}

// LookupInterface implements dbus.ServerObject. A caller may omit the interface:
// for an empty name it returns the methods of all interfaces.
func (o object) LookupInterface(name string) (dbus.Interface, bool) {
	if name != "" {
		m, ok := o[name]
		return m, ok
	}
	all := methods{}
	for _, m := range o {
		for name, method := range m {
			all[name] = method
		}
	}
	return all, true
}

// LookupMethod implements dbus.Interface.
func (m methods) LookupMethod(name string) (dbus.Method, bool) {
	method, ok := m[name]
	return method, ok
}

// Call implements dbus.Method.
func (m method) Call(args ...any) ([]any, error) { return m.call(args) }

// NumArguments implements dbus.Method.
func (m method) NumArguments() int { return len(m.in) }

// ArgumentValue implements dbus.Method.
func (m method) ArgumentValue(i int) any { return m.in[i] }

// NumReturns implements dbus.Method; the library does not ask.
func (m method) NumReturns() int { return 0 }

// ReturnValue implements dbus.Method; the library does not ask.
func (m method) ReturnValue(int) any { return nil }

// nameOf returns the value of the property Name. It is a structure because
// keepalived sends one, whatever keepalived's interface description says.
func nameOf(name string) any { return struct{ Name string }{name} }

// stateOf returns the value of the property State.
func stateOf(s State) any {
	return struct {
		Number uint32
		Word   string
	}{uint32(s), words[s]}
}

// properties returns the methods Get, GetAll and Set for the properties of one
// interface. Set always returns an error: all properties are read-only.
func properties(iface string, values map[string]any) methods {
	all := map[string]dbus.Variant{}
	for name, v := range values {
		all[name] = dbus.MakeVariant(v)
	}
	// An empty interface name means any interface. Only one has properties here.
	known := func(name string) bool { return name == iface || name == "" }
	get := func(args []any) (dbus.Variant, error) {
		of, name := *args[0].(*string), *args[1].(*string)
		v, ok := all[name]
		switch {
		case !known(of):
			return v, failure("UnknownInterface", fmt.Sprintf("there are no properties of %s here", of))
		case !ok:
			return v, failure("UnknownProperty", "there is no property "+name)
		}
		return v, nil
	}
	return methods{
		"Get": {in: []any{"", ""}, call: func(args []any) ([]any, error) {
			v, err := get(args)
			return []any{v}, err
		}},
		"GetAll": {in: []any{""}, call: func(args []any) ([]any, error) {
			if name := *args[0].(*string); !known(name) {
				return []any{map[string]dbus.Variant{}}, nil
			}
			return []any{all}, nil
		}},
		"Set": {in: []any{"", "", dbus.Variant{}}, call: func(args []any) ([]any, error) {
			if _, err := get(args); err != nil {
				return nil, err
			}
			return nil, failure("PropertyReadOnly", *args[1].(*string)+" cannot be written")
		}},
	}
}

// failure returns an error with a standard D-Bus error name.
func failure(name, text string) error {
	return dbus.NewError("org.freedesktop.DBus.Error."+name, []any{text})
}
