package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/realserver"
)

// realserverDir is where realserver notes what it has changed: on a file system that a
// boot empties, and not in the director's runtime directory, which is not root's.
const realserverDir = "/run/holdfast-realserver"

// A realserverCommand has the flags of the realserver commands.
type realserverCommand struct {
	vips           []string
	method, tunnel string
	outer          string
	device         string
	port           uint16
	dir            string
}

func newRealserver() *cobra.Command {
	c := &realserverCommand{}
	cmd := &cobra.Command{
		Use:   "realserver",
		Short: "Prepare this host to be a realserver of DR or TUN",
		Long: `Realserver is for the hosts behind a director, not for the director. A realserver of
method dr or tun must have the VIP as an address of its own, but must not answer ARP
for it. "up" does that, "down" puts back what was before, "status" finds what is wrong.
It needs no daemon and no configuration file. A reboot undoes "up": enable the unit
holdfast-realserver@VIP.service.`,
		Args: noCommand,
		RunE: noCommand,
	}
	cmd.AddCommand(c.up(), c.down(), c.status())
	return cmd
}

// options are the flags that say how the VIPs are served.
func (c *realserverCommand) options(cmd *cobra.Command) {
	c.common(cmd)
	cmd.Flags().StringVar(&c.method, "method", "dr", "the `method` by which the director forwards: dr or tun")
	cmd.Flags().StringVar(&c.device, "device", "", "`device` that gets the VIP; a new name makes a dummy (default lo with dr, the tunnel's device with tun)")
	cmd.Flags().StringVar(&c.tunnel, "tunnel", "", "with method tun: the `kind` of tunnel, ipip, gre or gue (default ipip)")
	cmd.Flags().Uint16Var(&c.port, "tunnel-port", 0, "with tunnel gue: the UDP `port` that the director sends to")
	cmd.Flags().StringVar(&c.outer, "outer", "", "with method tun: the `family` by which the director reaches this host, ipv4 or ipv6 (default that of the VIP)")
}

func (c *realserverCommand) common(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&c.vips, "vip", nil, "`address` of a VIP, without a prefix length; as often as needed")
	cmd.Flags().StringVar(&c.dir, "runtime-dir", realserverDir, "`directory` with the note of what was changed")
}

func (c *realserverCommand) up() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up --vip ADDRESS [--method dr|tun]",
		Short: "Give this host VIPs that it does not announce",
		Long: `Up adds each VIP with its full prefix length, sets the sysctls that keep this host from
answering ARP for it, and with method tun sets up the device that unpacks the packets.
It prints what it changed. It notes the former values for "down".`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := c.parse()
			if err == nil {
				err = o.Validate()
			}
			if err != nil {
				return fmt.Errorf("realserver up: %w", err)
			}
			done, err := realserver.Up(cmd.Context(), realserver.Dir(c.dir), o)
			return finish(cmd.OutOrStdout(), done, err)
		},
	}
	c.options(cmd)
	return cmd
}

func (c *realserverCommand) down() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "down [--vip ADDRESS]",
		Short: "Take VIPs back, and put back what was before",
		Long: `Down takes the given VIPs away, or all that "up" has set up. It puts back the sysctls
and devices that no other VIP needs. It leaves alone what somebody else has changed.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			vips, err := c.addresses()
			if err != nil {
				return fmt.Errorf("realserver down: %w", err)
			}
			done, err := realserver.Down(realserver.Dir(c.dir), vips)
			return finish(cmd.OutOrStdout(), done, err)
		},
	}
	c.common(cmd)
	return cmd
}

// finish prints what was done, also before an error.
func finish(out io.Writer, done []string, err error) error {
	if err == nil || len(done) > 0 {
		if _, printing := io.WriteString(out, realserver.Sentences(done)); err == nil {
			err = printing
		}
	}
	if err != nil {
		return failure{err}
	}
	return nil
}

func (c *realserverCommand) status() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [--vip ADDRESS [--method dr|tun]]",
		Short: "Show the VIPs of this host and what is wrong with them",
		Long: `Status looks for the usual mistakes: the VIP is missing, has a short prefix or is on an
interface; the host answers ARP for it or announces it; a strict rp_filter drops the
packets; the tunnel's device is down. Without --vip it looks at the VIPs that "up" has
set up. Its exit status is 1 if something is wrong.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := c.parse()
			if err == nil && len(o.VIPs) > 0 {
				err = o.Validate()
			}
			if err != nil {
				return fmt.Errorf("realserver status: %w", err)
			}
			r, err := realserver.Look(realserver.Dir(c.dir), o)
			if err != nil {
				return failure{err}
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				_, err = io.WriteString(cmd.OutOrStdout(), r.String())
			}
			switch {
			case err != nil:
				return failure{err}
			case len(r.Faults) > 0 || len(r.VIPs) == 0:
				return errUnwell
			}
			return nil
		},
	}
	c.options(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *realserverCommand) addresses() ([]netip.Addr, error) {
	var vips []netip.Addr
	var errs []error
	for _, text := range c.vips {
		vip, err := netip.ParseAddr(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--vip %q is not an address (it has no prefix length)", text))
			continue
		}
		vips = append(vips, vip.Unmap())
	}
	return vips, errors.Join(errs...)
}

// parse turns the flags into options.
func (c *realserverCommand) parse() (realserver.Options, error) {
	vips, err := c.addresses()
	o := realserver.Options{VIPs: vips, Method: realserver.Method(c.method), Device: c.device, Port: c.port}
	o.Tunnel, o.Outer = realserver.Tunnel(c.tunnel), realserver.Family(c.outer)
	if o.Method == realserver.TUN && o.Tunnel == "" {
		o.Tunnel = realserver.IPIP
	}
	return o, err
}
