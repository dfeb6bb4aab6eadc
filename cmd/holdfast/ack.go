package main

import (
	"cmp"
	"fmt"
	"os"
	"os/user"

	"github.com/spf13/cobra"
)

func newAck(f *flags) *cobra.Command {
	var by, comment string
	cmd := &cobra.Command{
		Use:   "ack SUBJECT",
		Short: "Acknowledge a failure: it sends no more alerts until it is over",
		Long: `Ack acknowledges failures that alerts report: an instance, group, service, or a server as
SERVICE/SERVER. The name of a service means its servers too, and shell patterns work:
'web/*'. Rules with the key "every" then send no more messages of them. The message of
the recovery comes all the same. "holdfast status" lists the failures, with the name and
the comment. Programs for acknowledgements (ack_command) get both.`,
		Args: arguments(1, 1), ValidArgsFunction: f.names(subjectNames),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			done, err := f.client().Ack(cmd.Context(), args[0], cmp.Or(by, operator()), comment)
			if err != nil {
				return err
			}
			for _, subject := range done.Subjects {
				fmt.Fprintln(cmd.OutOrStdout(), subject)
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&by, "by", "", "`name` of the person (default: the user)")
	cmd.Flags().StringVar(&comment, "comment", "", "what is known or done about it: a `text` for the others")
	return cmd
}

// operator returns the name of the user who calls the command, also through sudo.
func operator() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
