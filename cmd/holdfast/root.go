package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
	"holdfast/conf"
)

// The default configuration file, and the name of the control socket in runtime_dir.
const (
	defaultConfig = "/etc/holdfast/holdfast.toml"
	socketName    = "control.sock"
)

// flags are the flags that every command has.
type flags struct {
	config string
	socket string
}

// newRoot returns a new command tree. Each call of run needs its own, because the
// flags keep their values.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "holdfast",
		Short: "VRRP, IPVS and health checks for an LVS director",
		Long: `holdfast runs on each of two or more LVS directors. VRRP elects a MASTER, which owns
the virtual addresses on devices with virtual MAC addresses; health checks decide
which realservers the IPVS table holds.

Exit status: 0 all is well, 1 the command failed or something is unwell, 2 wrong usage,
3 plan alone: something would change.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              noCommand,
		RunE:              noCommand,
	}
	f := &flags{}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(plainFlagError)
	root.SetHelpCommand(newHelp())
	root.PersistentFlags().StringVarP(&f.config, "config", "c", defaultConfig, "configuration `file`")
	root.PersistentFlags().StringVar(&f.socket, "socket", "", "`path` of the control socket (default control.sock in the configuration's runtime_dir)")
	root.AddCommand(
		newRun(f), newCheck(f), newConfig(f), newPlan(f), newDoctor(f),
		newStatus(f), newEvents(f), newReload(f), newHandover(f),
		newDrain(f), newEnable(f), newWeight(f), newUpgrade(f), newRelease(f), newConvert(), newRealserver(), newAck(f), newVersion(f), newManual(),
	)
	return root
}

// noCommand returns the error for a missing or an unknown command.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s: no command given", cmd.CommandPath())
	}
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return fmt.Errorf("unknown command %q for %q; did you mean %s?", args[0], cmd.CommandPath(), strings.Join(like, " or "))
	}
	return fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
}

// do wraps the function of a command so that its errors become failures. Errors
// that cobra itself returns are always about wrong usage.
func do(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := f(cmd, args); err != nil {
			return failure{err}
		}
		return nil
	}
}

// client returns a client of the daemon.
func (f *flags) client() *control.Client {
	client := control.NewClient(f.socketPath())
	client.Doubt = func() string {
		if f.socket != "" {
			return ""
		}
		if err := conf.RuntimeDirDoubt(f.config); err != nil {
			return fmt.Sprintf("; the configuration cannot be read: %v; if its runtime_dir is another, name the socket with --socket", err)
		}
		return ""
	}
	return client
}

// socketPath returns the path of the control socket: the flag's, or control.sock
// in the configuration's runtime_dir. It works with a configuration that has
// errors, because the administrator must still reach the running daemon.
func (f *flags) socketPath() string {
	if f.socket != "" {
		return f.socket
	}
	return filepath.Join(conf.RuntimeDir(f.config), socketName)
}
