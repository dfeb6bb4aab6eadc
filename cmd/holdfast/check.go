package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/director"
	"holdfast/conf"
)

func newCheck(f *flags) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration file",
		Long: `Check reads the configuration and prints every error in it as file:line: key: message.
If there is none, it warns of what is valid but has no effect or does harm: for example
a weight that cannot change the priority, a secret that others can read, an interface
that this machine does not have, or a program that it would not run because it is
missing or others can change it.
Warnings do not change the exit code, unless --strict makes them errors.`,
		Args: noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), configTimeout)
			defer cancel()
			c, warnings, err := conf.LoadContext(ctx, f.config)
			if err != nil {
				return err
			}
			warnings = append(warnings, warningsHere(f.config, c, slices.Concat(director.MissingInterfaces(c), director.MissingPaths(c)))...)
			if strict && len(warnings) > 0 {
				return warnings
			}
			for _, w := range warnings {
				w.Message = "warning: " + w.Message
				fmt.Fprintln(cmd.ErrOrStderr(), w)
			}
			if names := c.Unasked(); len(names) > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: service.%s.forward: note: no check finds a server that lacks the address of the service (%s with dr or tun): "+
					"set via = \"vip\" in the check, or run \"holdfast realserver status\" on the servers\n", f.config, names[0], count(len(names), "service"))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: valid: %s, %s, %s\n", f.config,
				count(len(c.VRRP), "virtual router"), count(len(c.Groups), "group"), count(len(c.Services), "service"))
			return nil
		}),
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "treat warnings as errors")
	return cmd
}

// configTimeout is how long a command waits for the configuration's files.
const configTimeout = 30 * time.Second

// loadConfig reads the configuration. The timeout is for a file on a file server
// that does not answer.
func loadConfig(ctx context.Context, path string) (*conf.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	c, _, err := conf.LoadContext(ctx, path)
	return c, err
}

// warningsHere returns warnings that depend on this machine or on how this binary
// was built. missing are the interfaces that are not there, as "key: message".
func warningsHere(path string, c *conf.Config, missing []string) conf.Errors {
	var warnings conf.Errors
	for _, text := range slices.Concat(missing, director.UnfitPrograms(c)) {
		key, message, _ := strings.Cut(text, ": ")
		warnings = append(warnings, conf.Error{File: path, Key: key, Message: message})
	}
	if text := director.WithoutDBus(c); text != "" {
		key, message, _ := strings.Cut(text, ": ")
		warnings = append(warnings, conf.Error{File: path, Key: key, Message: message})
	}
	return warnings
}

// count says how many there are of something.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func newConfig(f *flags) *cobra.Command {
	group := &cobra.Command{
		Use:   "config",
		Short: "Print the documented configuration file, or the one in use",
		Args:  noCommand,
		RunE:  noCommand,
	}
	group.AddCommand(newConfigReference(), newConfigShow(f))
	return group
}

func newConfigReference() *cobra.Command {
	return &cobra.Command{
		Use:   "reference",
		Short: "Print a configuration file that documents every key",
		Args:  noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), conf.Reference)
			return err
		}),
	}
}

func newConfigShow(f *flags) *cobra.Command {
	var noDefaults bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration with every default filled in",
		Long: `Show prints the configuration as one file, with every default filled in and without
comments. The result is a valid configuration file, except that a placeholder stands
for each secret that is written in the configuration itself.`,
		Args: noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Context(), f.config)
			if err != nil {
				return err
			}
			text := conf.Show(c)
			if noDefaults {
				text = conf.ShowBrief(c)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		}),
	}
	cmd.Flags().BoolVar(&noDefaults, "no-defaults", false, "leave out every key that has its default, except the name of the director")
	return cmd
}
