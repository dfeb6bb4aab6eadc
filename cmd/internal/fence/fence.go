// Package fence makes sure that a node is off: by a fence agent, a plugin of
// heartbeat's STONITH, or a program of the administrator.
package fence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/program"
)

// A Device is what can fence nodes.
type Device struct {
	Kind    Kind
	Program program.Program // Command: the program
	Agent   string          // Agent: its absolute path
	Plugin  string          // Stonith: the name of the plugin
	Params  map[string]string
	Action  string // off or reboot
}

// A Kind is a convention by which a device is called.
type Kind uint8

// The kinds.
const (
	Command Kind = iota
	Agent
	Stonith
)

// external is where external plugins of STONITH are, and Binary the program that knows
// the others (Debian: cluster-glue).
const (
	external = "/usr/lib/stonith/plugins/external"
	binary   = "/usr/sbin/stonith"
)

// externalEnv has the helpers of external plugins found, and what they log written to
// the standard error (ha_log.sh of cluster-glue).
var externalEnv = []string{"PATH=" + program.Path + ":/usr/share/cluster-glue", "HA_LOGD=no", "HA_LOGFACILITY=none", "HA_LOGFILE=/dev/stderr"}

// A call is one run of a program.
type call struct {
	program.Program
	env   []string
	input string // on the standard input
}

// Run fences a node. env is the environment beside PATH and LANG. When ctx ends, the
// program is killed with its process group.
//
// A plugin of STONITH is first asked for the nodes that it has, as heartbeat did: many
// plugins, such as null and external/ipmi, take any name for that of their node.
func (d *Device) Run(ctx context.Context, node string, env []string) error {
	if d.Kind == Stonith {
		if err := d.has(ctx, node, env); err != nil {
			return err
		}
	}
	c := d.call(node)
	return c.run(ctx, env, nil)
}

// Check returns why the program of the device must not or cannot be run, or nil.
func (d *Device) Check() error {
	c := d.call("")
	return c.Check()
}

// has returns an error if a plugin of STONITH does not list a node. Plugins write names
// in lower case.
func (d *Device) has(ctx context.Context, node string, env []string) error {
	c, listed := d.list(), &list{}
	if err := c.run(ctx, env, listed); err != nil {
		return fmt.Errorf("ask for the list of nodes: %w", err)
	}
	names := strings.Fields(listed.text.String())
	if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, node) }) {
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("plugin %s has no node %s: it lists none", d.Plugin, node)
	}
	return fmt.Errorf("plugin %s has no node %s: it lists %s", d.Plugin, node, strings.Join(names, ", "))
}

// maxList bounds the list of nodes, in bytes.
const maxList = 64 << 10

// A list takes the list of nodes that a plugin writes.
type list struct{ text strings.Builder }

// Write implements io.Writer.
func (l *list) Write(p []byte) (int, error) {
	if l.text.Len()+len(p) > maxList {
		return 0, fmt.Errorf("the list is longer than %d bytes", maxList)
	}
	return l.text.Write(p)
}

// run runs a call. Its standard output goes to out, if there is one; the last line of
// what else it writes is part of the error.
func (c *call) run(ctx context.Context, env []string, out io.Writer) error {
	if err := c.Check(); err != nil {
		return err
	}
	in, err := stdin(c.input)
	if err != nil {
		return err
	}
	if in != nil {
		defer in.Close()
	}
	tail := &program.Tail{}
	if out == nil {
		out = tail
	}
	c.Errors = tail
	from := time.Now()
	err = c.RunWith(ctx, slices.Concat([]string{"PATH=" + program.Path, "LANG=C.UTF-8"}, env, c.env), in, out)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("timed out after %v", time.Since(from).Round(time.Millisecond))
	}
	if line := tail.LastLine(); err != nil && line != "" {
		err = fmt.Errorf("%w: %s", err, line)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(c.Argv[0]), err)
	}
	return nil
}

// call is what is run to fence a node.
func (d *Device) call(node string) call {
	switch {
	case d.Kind == Agent:
		return d.agent(node)
	case d.Kind == Stonith && strings.HasPrefix(d.Plugin, "external/"):
		return d.external(d.stonithAction(), node)
	case d.Kind == Stonith:
		return d.stonith("-T", d.stonithAction(), node)
	}
	return call{Program: d.Program}
}

// agent is a call by the convention of fence agents: a line NAME=VALUE for each
// parameter on the standard input (fence-agents, doc/FenceAgentAPI.md). A parameter that
// the agent does not know is no error.
func (d *Device) agent(node string) call {
	params := map[string]string{"action": d.Action, "nodename": node}
	if d.Params["port"] == "" {
		params["plug"] = node
	}
	maps.Copy(params, d.Params)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		b.WriteString(name + "=" + params[name] + "\n")
	}
	return call{Program: program.Program{Argv: []string{d.Agent}}, input: b.String()}
}

// list is what is run to list the nodes of a plugin of STONITH.
func (d *Device) list() call {
	if strings.HasPrefix(d.Plugin, "external/") {
		return d.external("gethosts")
	}
	return d.stonith("-l")
}

// external is a call of an external plugin of STONITH: the parameters are environment
// variables, the arguments the action and the node.
func (d *Device) external(args ...string) call {
	path := filepath.Join(external, strings.TrimPrefix(d.Plugin, "external/"))
	c := call{Program: program.Program{Argv: append([]string{path}, args...)}, env: slices.Clone(externalEnv)}
	for _, name := range slices.Sorted(maps.Keys(d.Params)) {
		c.env = append(c.env, name+"="+d.Params[name])
	}
	return c
}

// stonith is a call of the program for plugins that are libraries (stonith(8)).
func (d *Device) stonith(args ...string) call {
	argv := []string{binary, "-t", d.Plugin}
	for _, name := range slices.Sorted(maps.Keys(d.Params)) {
		argv = append(argv, name+"="+d.Params[name])
	}
	return call{Program: program.Program{Argv: append(argv, args...)}}
}

func (d *Device) stonithAction() string {
	if d.Action == "reboot" {
		return "reset"
	}
	return d.Action
}

// stdin returns a file with a text to be read, which is no file of a file system; nil
// for no text.
func stdin(text string) (*os.File, error) {
	if text == "" {
		return nil, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	go func() { // a pipe may be shorter than the text
		_, _ = w.WriteString(text)
		_ = w.Close()
	}()
	return r, nil
}
