package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// noArguments refuses arguments of a command that has none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, not %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// arguments refuses fewer arguments than low and more than high.
func arguments(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch n := len(args); {
		case n < low:
			return fmt.Errorf("an argument is missing: %s", usageOf(cmd))
		case n > high:
			return fmt.Errorf("too many arguments: %s", usageOf(cmd))
		}
		return nil
	}
}

// oneOf accepts at most one argument, which is one of a few.
func oneOf(known ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := arguments(0, 1)(cmd, args); err != nil {
			return err
		}
		if len(args) == 1 && !slices.Contains(known, args[0]) {
			return fmt.Errorf("%s takes %s, not %q", cmd.CommandPath(), strings.Join(known, " or "), args[0])
		}
		return nil
	}
}

// usageOf returns how a command is called, without its flags.
func usageOf(cmd *cobra.Command) string {
	return strings.TrimSuffix(cmd.CommandPath(), cmd.Name()) + cmd.Use
}

// plainFlagError leaves out how Go reads a number: 'strconv.ParseUint: parsing "x":
// invalid syntax' says nothing to the caller of a command.
func plainFlagError(_ *cobra.Command, err error) error {
	text, _, _ := strings.Cut(err.Error(), ": strconv.")
	return fmt.Errorf("%s", text)
}

// newHelp returns the help command. cobra's own shows the help of holdfast for a
// command that does not exist, and exits with 0.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(found, rest)
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}
