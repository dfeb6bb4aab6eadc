package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/status"
)

// completionTimeout is how long a shell waits for the daemon's names. A user who
// presses the tab key waits no longer.
const completionTimeout = time.Second

// names returns a completion of an argument from what the running daemon has. Without a
// daemon there is nothing to choose from.
func (f *flags) names(from func(s *status.Status, args []string) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		parent := cmd.Context()
		if parent == nil {
			parent = context.Background() // the completion runs before the command has a context
		}
		ctx, cancel := context.WithTimeout(parent, completionTimeout)
		defer cancel()
		s, err := f.client().Status(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all := from(s, args)
		all = slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, begun) })
		slices.Sort(all)
		return slices.Compact(all), cobra.ShellCompDirectiveNoFileComp
	}
}

// serverNames completes SERVICE SERVER.
func serverNames(s *status.Status, args []string) (names []string) {
	if len(args) > 1 || s.LVS == nil {
		return nil
	}
	for i := range s.LVS.Services {
		service := &s.LVS.Services[i]
		if len(args) == 0 {
			names = append(names, service.Name)
			continue
		}
		for j := range service.Servers {
			if args[0] == "all" || args[0] == service.Name {
				names = append(names, service.Servers[j].Name)
			}
		}
	}
	if len(args) == 0 && len(names) > 0 {
		names = append(names, "all")
	}
	return names
}

// routerNames completes the name of a group or instance.
func routerNames(s *status.Status, args []string) (names []string) {
	if len(args) > 0 {
		return nil
	}
	for i := range s.Groups {
		names = append(names, s.Groups[i].Name)
	}
	for i := range s.VRRP {
		if s.VRRP[i].Group == "" {
			names = append(names, s.VRRP[i].Name)
		}
	}
	return names
}

// subjectNames completes whatever can fail.
func subjectNames(s *status.Status, args []string) []string {
	if len(args) > 0 {
		return nil
	}
	names := routerNames(s, nil)
	for i := range s.VRRP {
		names = append(names, s.VRRP[i].Name)
	}
	for _, service := range serverNames(s, nil) {
		if service == "all" {
			continue
		}
		names = append(names, service)
		for _, server := range serverNames(s, []string{service}) {
			names = append(names, service+"/"+server)
		}
	}
	return names
}
