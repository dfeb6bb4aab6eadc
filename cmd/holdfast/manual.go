package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/manual"
	"holdfast/conf"
)

// newManual returns the command that the packages make their manual pages with. Without
// a package, "holdfast manual 8 | man -l -" shows one.
func newManual() *cobra.Command {
	return &cobra.Command{
		Use:    "manual 5|8",
		Short:  "Print a manual page: 8 of the commands, 5 of the configuration",
		Hidden: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := arguments(1, 1)(cmd, args); err != nil {
				return err
			}
			return oneOf("5", "8")(cmd, args)
		},
		RunE: do(func(cmd *cobra.Command, args []string) error {
			m, err := pageMeta()
			if err != nil {
				return err
			}
			page := manual.Command(cmd.Root(), m)
			if args[0] == "5" {
				page = manual.Configuration(conf.Reference, m)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), page)
			return err
		}),
	}
}

// pageMeta dates a page: by SOURCE_DATE_EPOCH for a build that can be repeated, else by
// the clock.
func pageMeta() (manual.Meta, error) {
	m := manual.Meta{Date: time.Now(), Version: softwareVersion()}
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return m, fmt.Errorf("SOURCE_DATE_EPOCH is %q, no time in seconds", text)
		}
		m.Date = time.Unix(seconds, 0)
	}
	return m, nil
}
