package director

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// kernelFiles are the files that may reach the kernel, or the disk, and what for.
// All others decide on values alone.
var kernelFiles = map[string]string{
	"conflicts.go":      "looks for conflicts",
	"control_socket.go": "names the process to clients",
	"dbus.go":           "writes files for D-Bus",
	"ipvs_state.go":     "keeps what a later run must know of IPVS",
	"maintenance.go":    "reads the maintenance directory",
	"resource_state.go": "keeps what runs, for a later run",
	"orders.go":         "keeps what operators have changed",
	"alerts.go":         "keeps what was said of failures",
	"tracker_state.go":  "keeps what a start after a crash must know of trackers",
	"upgrade_files.go":  "keeps what the next binary must know",
	"device_host.go":    "claims and releases devices",
	"director.go":       "opens the host",
	"early_speaker.go":  "hands sockets over to the next binary",
	"listeners.go":      "opens TCP ports",
	"listen.go":         "opens and closes the VRRP sockets",
	"lock.go":           "locks the runtime directory and the network namespace",
	"plan.go":           "looks at what a start would change",
	"policy.go":         "looks at routes and rules",
	"realtime.go":       "scheduling of threads",
	"repair.go":         "has the host repair what is ours",
	"rival.go":          "listens for the MAC address of a rival",
	"router_look.go":    "looks at interfaces, and makes devices",
	"router_start.go":   "adopts devices of a former run",
	"router_stop.go":    "removes devices",
	"routers.go":        "opens the VRRP sockets",
	"services.go":       "opens the IPVS table",
	"trackers.go":       "looks that trackers make",
	"upgrade.go":        "runs the next binary",
	"upgrade_state.go":  "the clock since boot",
	"watch_links.go":    "link events",
	"watch_routes.go":   "route events",
	"watch_settings.go": "sysctl events",
	"vrrp_port.go":      "sends and receives on the VRRP sockets",
	"router_change.go":  "removes devices that a reload does not want",
	"state_file.go":     "reads state files",
	"stop.go":           "closes the host",
	"release.go":        "reads what a crashed run left",
}

// kernelPackages are those of which a call reaches the kernel. The values of
// netdev, and calls that only convert to them, may be anywhere.
var kernelPackages = []string{"netdev", "port", "ipvs", "os", "exec", "unix", "syscall", "statefile"}

// conversions are types and pure functions of these packages.
var conversions = []string{
	"Address", "PrefixRoute", "Realm", "RouteOptions", "Encap", "Range", "FailedDevices", "Getpid", "SendError", "Frame",
}

// reachesKernel returns the source text of the calls in a file that reach the kernel.
func reachesKernel(file *ast.File) (calls []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch x := s.X.(type) {
		case *ast.Ident:
			if slices.Contains(kernelPackages, x.Name) && x.Obj == nil && isCalled(file, s) && !slices.Contains(conversions, s.Sel.Name) {
				calls = append(calls, x.Name+"."+s.Sel.Name)
			}
		case *ast.SelectorExpr: // rs.host.Ensure, called or passed on
			if (x.Sel.Name == "host" || x.Sel.Name == "port" || x.Sel.Name == "Port") && ast.IsExported(s.Sel.Name) {
				calls = append(calls, x.Sel.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return calls
}

// isCalled reports whether an expression is the function of a call.
func isCalled(file *ast.File, f ast.Expr) bool {
	called := false
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok && c.Fun == f {
			called = true
		}
		return !called
	})
	return called
}

// Only the files that are listed reach the kernel, and doc.go tells a reader of each.
func TestKernelFiles(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		calls := reachesKernel(file)
		if len(calls) > 0 {
			found[name] = true
		}
		if len(calls) > 0 && kernelFiles[name] == "" {
			t.Errorf("%s reaches the kernel with %v: move that to a file that does, or list it here and in doc.go", name, calls)
		}
		if !strings.Contains(string(doc), name) && name != "doc.go" {
			t.Errorf("doc.go does not say what %s is for", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kernelFiles)) {
		if !found[name] {
			t.Errorf("%s does not reach the kernel any more", name)
		}
	}
}
