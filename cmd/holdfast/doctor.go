package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/director"
	"holdfast/cmd/internal/doctor"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// doctorTimeout is how long the doctor waits for the daemon and for the machine.
const doctorTimeout = 30 * time.Second

func newDoctor(f *flags) *cobra.Command {
	var asJSON, fix bool
	var color colorMode
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what on this machine keeps the director from working",
		Long: `Doctor looks at the machine for what the configuration needs: capabilities and modules,
sysctls, firewall rules that drop adverts, the sync daemon or checks, bridges without a
querier, programs that manage interfaces, the clock, the MTU of tunnels. It asks the
wire who answers for each virtual address, and whether frames with a virtual MAC address
pass. It prints each finding with its cure, and changes nothing unless --fix is given.
It works with and without a running daemon. Its exit status is 1 if it found an error or
a warning that --fix did not cure.`,
		Args: noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorTimeout)
			defer cancel()
			report := examine(ctx, f)
			if fix {
				report.Fix(ctx)
			}
			if err := printReport(cmd.OutOrStdout(), report, asJSON, color); err != nil {
				return err
			}
			if !report.Well() {
				return errUnwell
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&fix, "fix", false, "load modules and set sysctls that are missing, until the next boot")
	color.flag(cmd)
	return cmd
}

// examine puts what "check" says and what the daemon says before the doctor's findings.
func examine(ctx context.Context, f *flags) *doctor.Report {
	c, warnings, err := conf.LoadContext(ctx, f.config)
	if err != nil {
		return sick(err)
	}
	var first []doctor.Finding
	for _, w := range append(warnings, warningsHere(f.config, c, director.MissingPaths(c))...) {
		first = append(first, doctor.Finding{Diagnosis: "configuration", Severity: doctor.Warning, What: w.Error()})
	}
	for _, text := range director.MissingInterfaces(c) {
		first = append(first, doctor.Finding{Diagnosis: "configuration", Severity: doctor.Error, What: f.config + ": " + text,
			Why: "A start and a reload are refused.", Cure: "ip link lists the interfaces; write the name of one, or make it before the start"})
	}
	patient := &doctor.Patient{Config: c}
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	patient.Status, err = f.client().Status(asking)
	switch {
	case errors.Is(err, control.ErrNotRunning):
	case err != nil:
		first = append(first, doctor.Finding{Diagnosis: "daemon", Severity: doctor.Error, What: err.Error(),
			Why: "The doctor does not know which virtual routers are MASTER here.", Cure: "journalctl -u holdfast"})
	default:
		first = append(first, complaints(patient.Status)...)
	}
	report := doctor.Examine(ctx, patient)
	report.Add(first...)
	return report
}

// sick returns the report about a configuration with errors: one finding for each.
func sick(err error) *doctor.Report {
	r := &doctor.Report{Version: doctor.Version, Blind: []doctor.Blind{}}
	list, ok := errors.AsType[conf.Errors](err)
	if !ok {
		list = conf.Errors{{Message: err.Error()}}
	}
	for _, e := range list {
		text := e.Message
		if ok {
			text = e.Error()
		}
		r.Findings = append(r.Findings, doctor.Finding{Diagnosis: "configuration", Severity: doctor.Error, What: text})
	}
	r.Blind = append(r.Blind, doctor.Blind{Diagnosis: "everything else", Why: "the configuration says what to look at, and it has errors"})
	return r
}

// complaints returns what the daemon says is unwell.
func complaints(s *status.Status) (found []doctor.Finding) {
	for _, text := range s.Unwell() {
		found = append(found, doctor.Finding{Diagnosis: "daemon", Severity: doctor.Error, What: text, Cure: "holdfast status and holdfast events say more"})
	}
	return found
}

func printReport(w io.Writer, r *doctor.Report, asJSON bool, color colorMode) error {
	if asJSON {
		return printJSON(w, r)
	}
	colors := color.on(w)
	_, err := io.WriteString(w, r.Text(func(s doctor.Severity, text string) string {
		switch {
		case colors && s == doctor.Error:
			return red.paint(text)
		case colors && s == doctor.Warning:
			return yellow.paint(text)
		}
		return text
	}))
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}
