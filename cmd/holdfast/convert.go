package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/conf"
	"holdfast/conf/convert"
	"holdfast/conf/convert/ipvsadm"
)

// converters has a function for each program whose configuration can be
// converted. A new one is one line here.
var converters = map[string]func([]convert.File, *convert.Report) *conf.Config{
	"ipvsadm": ipvsadm.Convert,
}

func newConvert() *cobra.Command {
	var from, output, director string
	cmd := &cobra.Command{
		Use:   "convert --from ipvsadm [-o FILE] FILE...",
		Short: "Convert the configuration of another program",
		Long: `Convert reads the configuration of another program and prints a configuration file for
holdfast that does the same. FILE is the output of ipvsadm -Sn or a script of ipvsadm
commands; - is standard input.

It reports on standard error every directive that was not translated, with file, line
and reason, and prints notes about what you should look at. Exit status: 0 everything was translated,
1 something was not translated, 2 a file cannot be read.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			converter := converters[from]
			if converter == nil {
				return fmt.Errorf("--from must be ipvsadm, not %q", from)
			}
			files, err := readInputs(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			var report convert.Report
			c := converter(files, &report)
			fmt.Fprint(cmd.ErrOrStderr(), report.String())
			if c == nil {
				return failure{errors.New("nothing could be converted")}
			}
			c.Director.Name = director
			text := "# Converted from " + strings.Join(args, ", ") + " (" + from + ") by holdfast convert.\n\n" + string(conf.ShowBrief(c))
			if err := writeOutput(cmd.OutOrStdout(), output, text); err != nil {
				return failure{err}
			}
			if report.Untranslated() > 0 {
				return errUnwell // the report says why
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the `program` that the files come from: ipvsadm")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this new `file` instead of standard output")
	cmd.Flags().StringVar(&director, "director", "", "`name` of the director (default: the name of the host it runs on)")
	return cmd
}

// readInputs reads the files of a command line; "-" is standard input.
func readInputs(stdin io.Reader, paths []string) ([]convert.File, error) {
	var files []convert.File
	for _, path := range paths {
		if path != "-" {
			text, err := conf.ReadFile(path)
			if err != nil {
				return nil, err
			}
			files = append(files, convert.File{Name: path, Text: string(text)})
			continue
		}
		text, err := io.ReadAll(io.LimitReader(stdin, conf.MaxFileSize+1))
		if err == nil && len(text) > conf.MaxFileSize {
			err = errors.New("standard input is too long")
		}
		if err != nil {
			return nil, err
		}
		files = append(files, convert.File{Name: "stdin", Text: string(text)})
	}
	return files, nil
}

// writeOutput writes to stdout or, if a path is given, to a new file.
func writeOutput(stdout io.Writer, path, text string) error {
	if path == "" {
		_, err := io.WriteString(stdout, text)
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}
