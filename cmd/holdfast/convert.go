package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"holdfast/conf"
	"holdfast/conf/convert"
	"holdfast/conf/convert/heartbeat"
	"holdfast/conf/convert/ipvsadm"
	"holdfast/conf/convert/keepalived"
	"holdfast/conf/convert/ldirectord"
	"holdfast/conf/convert/mon"
)

// converters maps the values of --from to the functions that convert.
var converters = map[string]func(convert.Input, *convert.Report) *convert.Result{
	"heartbeat":  heartbeat.Convert,
	"ipvsadm":    ipvsadm.Convert,
	"ldirectord": ldirectord.Convert,
	"keepalived": keepalived.Convert,
	"mon":        mon.Convert,
}

func newConvert() *cobra.Command {
	c := conversion{}
	programs := strings.Join(slices.Sorted(maps.Keys(converters)), "|")
	cmd := &cobra.Command{
		Use:   "convert [--from " + programs + "] [-o FILE] FILE...",
		Short: "Convert the configuration of another program",
		Long: `Convert reads the configuration of another program and prints a configuration file for
holdfast that does the same. For keepalived, FILE is keepalived.conf; files that it
includes are read too, and lines that begin with @ are read for the name that --director
gives. For ldirectord, FILE is ldirectord.cf. For heartbeat version 1, give ha.cf,
haresources and authkeys together. For mon, give mon.cf, and auth.cf with it. For
ipvsadm, FILE is the output of ipvsadm -Sn or a script of ipvsadm commands. - is standard
input. Without --from the program is guessed from the content.

Secrets are never printed. With -o they go to files of mode 600 beside the new file.

It reports on standard error every directive that was not translated, with file, line
and reason, and prints notes about what you should look at. Exit status: 0 everything was
translated, 1 something was not translated, 2 a file cannot be read.`,
		Args: arguments(1, math.MaxInt),
		RunE: c.run,
	}
	cmd.Flags().StringVar(&c.from, "from", "", "the `program` that the files come from: "+programs)
	_ = cmd.RegisterFlagCompletionFunc("from", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return slices.Sorted(maps.Keys(converters)), cobra.ShellCompDirectiveNoFileComp
	})
	cmd.Flags().StringVarP(&c.output, "output", "o", "", "write to this new `file` instead of standard output; - is standard output")
	cmd.Flags().StringVar(&c.director, "director", "", "`name` of the director (default: the name of the host it runs on)")
	return cmd
}

// A conversion has the flags of the command.
type conversion struct{ from, output, director string }

func (c *conversion) run(cmd *cobra.Command, args []string) error {
	if c.output == "-" { // as FILE is standard input
		c.output = ""
	}
	if c.from != "" && converters[c.from] == nil {
		return fmt.Errorf("--from must be %s, not %q", strings.Join(slices.Sorted(maps.Keys(converters)), " or "), c.from)
	}
	if c.director != "" {
		if err := conf.CheckName(c.director); err != nil {
			return fmt.Errorf("--director %w", err)
		}
	}
	in, err := c.input(cmd.InOrStdin(), args)
	if err != nil {
		return err
	}
	from := c.from
	if from == "" {
		from = convert.Guess(in.Files)
	}
	converter := converters[from]
	if converter == nil {
		return fmt.Errorf("it is not clear which program the files are of: give --from %s", strings.Join(slices.Sorted(maps.Keys(converters)), " or --from "))
	}
	var report convert.Report
	result := converter(in, &report)
	if result != nil && c.output == "" {
		for _, s := range result.Secrets {
			report.Add(convert.Finding{Person: true, Message: "the secret for " + s.Path + " is not printed: use -o FILE, which writes it beside FILE"})
		}
	}
	fmt.Fprint(cmd.ErrOrStderr(), report.String())
	if result == nil {
		return failure{errors.New("nothing could be converted")}
	}
	if c.director != "" {
		result.SetDirector(c.director)
	}
	text := "# Converted from " + printable(strings.Join(args, ", ")) + " (" + from + ") by holdfast convert.\n\n" + result.TOML()
	if err := c.write(cmd.OutOrStdout(), text, result.Secrets); err != nil {
		return failure{err}
	}
	if report.Untranslated() > 0 {
		return errUnwell // the report says why
	}
	return nil
}

// printable returns a text as a comment of TOML can have it: on one line, in UTF-8.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}

// input reads the files of the command line, and gives what the converter may ask
// this machine for.
func (c *conversion) input(stdin io.Reader, args []string) (convert.Input, error) {
	in := convert.Input{Director: c.director, Dir: filepath.Dir(defaultConfig), Glob: filepath.Glob, Read: conf.ReadFile, Getenv: os.Getenv, Lookup: lookup}
	if c.output != "" {
		dir, err := filepath.Abs(filepath.Dir(c.output))
		if err != nil {
			return in, err
		}
		in.Dir = dir
	}
	in.Host, _ = os.Hostname()
	var err error
	in.Files, err = readInputs(stdin, args)
	return in, err
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
			files = append(files, inputFile(path, text))
			continue
		}
		text, err := io.ReadAll(io.LimitReader(stdin, conf.MaxFileSize+1))
		if err == nil && len(text) > conf.MaxFileSize {
			err = errors.New("standard input is too long")
		}
		if err != nil {
			return nil, err
		}
		files = append(files, inputFile("stdin", text))
	}
	return files, nil
}

// inputFile leaves out the mark that some editors put in front of UTF-8.
func inputFile(name string, text []byte) convert.File {
	return convert.File{Name: name, Text: strings.TrimPrefix(string(text), "\ufeff")}
}

// write writes the text to stdout or, with -o, to a new file with the secrets
// beside it. If any of the new files cannot be written, none of them stays.
func (c *conversion) write(stdout io.Writer, text string, secrets []convert.Secret) error {
	if c.output == "" {
		_, err := io.WriteString(stdout, text)
		return err
	}
	files := append(slices.Clone(secrets), convert.Secret{Path: c.output, Content: []byte(text)})
	for i, f := range files {
		if err := writeNew(f.Path, f.Content); err != nil {
			for _, done := range files[:i] {
				err = errors.Join(err, os.Remove(done.Path))
			}
			return err
		}
	}
	return nil
}

// writeNew writes a file of mode 600 that does not exist yet.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: remove it, or name another file", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// lookupTimeout bounds the wait for the address of a host that a file names.
const lookupTimeout = 5 * time.Second

// lookup returns the addresses of a host.
func lookup(host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
