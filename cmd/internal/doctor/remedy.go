package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"holdfast/netdev/sysctl"
)

// lastingSysctl is where the administrator makes a sysctl last.
const lastingSysctl = "/etc/sysctl.d/90-holdfast.conf"

// setting returns the cure of a sysctl, and the remedy that sets it until the next boot.
func setting(key, value string) (cure string, fix func(context.Context) (string, error)) {
	line := sysctl.Name(key) + " = " + value
	return settingNow(key, value, fmt.Sprintf("echo '%s' >> %s", line, lastingSysctl))
}

// settingNow is setting with another way to make it last.
func settingNow(key, value, lasting string) (cure string, fix func(context.Context) (string, error)) {
	line := sysctl.Name(key) + " = " + value
	return fmt.Sprintf("sysctl -w %s=%s; to make it last: %s", sysctl.Name(key), value, lasting),
		func(context.Context) (string, error) {
			if err := sysctl.Write(key, value); err != nil {
				return "", err
			}
			return fmt.Sprintf("set %s until the next boot; to make it last: %s", line, lasting), nil
		}
}

// loading returns the cure of a missing module, and the remedy that loads it until the
// next boot.
func loading(module string) (cure string, fix func(context.Context) (string, error)) {
	lasting := fmt.Sprintf("echo %s >> /etc/modules-load.d/holdfast.conf", module)
	return fmt.Sprintf("modprobe %s (in a container: on the host); to make it last: %s", module, lasting),
		func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, "modprobe", module)
			cmd.WaitDelay = time.Second
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("modprobe %s: %w: %s", module, err, strings.TrimSpace(string(out)))
			}
			return fmt.Sprintf("loaded the module %s until the next boot; to make it last: %s", module, lasting), nil
		}
}
