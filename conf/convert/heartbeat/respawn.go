package heartbeat

import (
	"fmt"
	"path"
	"strings"
)

// respawn has a program that heartbeat starts, and starts again when it ends: ipfail,
// whose work trackers do, or one that systemd should run.
func (c *converter) respawn(l line) {
	if len(l.words) < 3 {
		c.report.Person(l.at, "%s: a user and a program are needed", l.words[0])
		return
	}
	if path.Base(l.words[2]) == "ipfail" {
		c.cluster.ipfail = true
		return
	}
	name := path.Base(l.words[2])
	c.report.Person(l.at, "%s: holdfast runs no programs of this kind, systemd does. Write /etc/systemd/system/%s.service, and run \"systemctl enable --now %s\":\n%s",
		l.words[0], name, name, unit(l))
}

// unit is the text of a systemd unit that does what heartbeat does with a program: it ends
// with heartbeat, and an exit status of 100 means that it is not wanted again.
func unit(l line) string {
	end := "Restart=always\nRestartSec=1\nRestartPreventExitStatus=100\n"
	if l.words[0] == "failfast" { // the machine does not go on without the program
		end = "Restart=no\nFailureAction=reboot\nSuccessAction=reboot\n"
	}
	text := fmt.Sprintf("[Unit]\nDescription=%s\nAfter=holdfast.service\nPartOf=holdfast.service\n[Service]\nUser=%s\nExecStart=%s\n%s[Install]\nWantedBy=multi-user.target",
		path.Base(l.words[2]), l.words[1], strings.ReplaceAll(strings.Join(l.words[2:], " "), "%", "%%"), end)
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}
