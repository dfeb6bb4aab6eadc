package manual

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Command returns the page holdfast(8) from the tree of commands.
func Command(root *cobra.Command, m Meta) string {
	p := newPage(root.Name(), 8, m, root.Short)
	p.request("SH", "SYNOPSIS")
	p.text(`holdfast [-c FILE] [--socket PATH] COMMAND [ARGUMENT ...]`)
	p.request("SH", "DESCRIPTION")
	p.paragraphs(root.Long)
	p.request("SH", "OPTIONS")
	p.flags(root.PersistentFlags())
	p.request("SH", "COMMANDS")
	p.commands(root)
	p.request("SH", "FILES")
	p.item("%s", "/etc/holdfast/holdfast.toml")
	p.text("The configuration; see holdfast.toml(5).")
	p.item("%s", "/run/holdfast")
	p.text("The control socket, and what the daemon changes in the kernel.")
	p.request("SH", "ENVIRONMENT")
	p.item("%s", "CREDENTIALS_DIRECTORY")
	p.text("Where secrets are that the configuration names without a slash; see systemd.exec(5).")
	p.item("%s, %s, %s", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
	p.text("How the daemon tells systemd of its state; see sd_notify(3).")
	p.item("%s", "NO_COLOR")
	p.text("No colours, if it is set.")
	p.request("SH", "SEE ALSO")
	p.text("holdfast.toml(5), ipvsadm(8), ip(8), systemctl(1)")
	return p.String()
}

// commands writes the commands below one, in the order of the program.
func (p *page) commands(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		p.request("SS", strings.TrimPrefix(strings.TrimSuffix(c.UseLine(), " [flags]"), "holdfast "))
		if c.Long == "" {
			p.text(sentence(c.Short))
		} else {
			p.paragraphs(c.Long)
		}
		p.flags(c.LocalNonPersistentFlags())
		p.commands(c)
	}
}

// flags writes what the flags of a command are for.
func (p *page) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		words, format := []string{"--" + f.Name}, "%s"
		if f.Shorthand != "" {
			words, format = append([]string{"-" + f.Shorthand}, words...), "%s, %s"
		}
		if kind != "" {
			format += ` \fI` + kind + `\fR`
		}
		p.item(format, words...)
		if kind != "" && !slices.Contains([]string{"", "0", "0s", "[]"}, f.DefValue) && !strings.Contains(usage, "default") {
			usage += " (default " + f.DefValue + ")" // as --help says it
		}
		p.text(sentence(usage))
	})
}
