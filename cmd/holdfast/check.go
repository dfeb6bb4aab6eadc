package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/director"
	"holdfast/conf"
)

func newCheck(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say whether the configuration is valid",
		Long: `Check reads the configuration and prints every error in it as file:line: key: message.
Of programs that would not be run here, because they are missing or others than
root and their user could change them, it warns, as of D-Bus in a binary that was
built without.`,
		Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			c, err := conf.Load(f.config)
			if err != nil {
				return err
			}
			for _, text := range director.UnfitPrograms(c) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", f.config, text)
			}
			if text := director.WithoutDBus(c); text != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", f.config, text)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: valid: %s, %s, %s\n", f.config,
				count(len(c.VRRP), "virtual router"), count(len(c.Groups), "group"), count(len(c.Services), "service"))
			return nil
		}),
	}
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
		Args:  cobra.NoArgs,
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
comments. The result is a valid configuration file. Secrets that stand in the
configuration itself are not shown.`,
		Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			c, err := conf.Load(f.config)
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
	cmd.Flags().BoolVar(&noDefaults, "no-defaults", false, "leave out every key that has its default")
	return cmd
}
