package director

import (
	"slices"

	"holdfast/cmd/internal/notify"
	"holdfast/conf"
)

// alertSinks returns the sinks that only alerts have, and adds alerts to the webhooks
// in list that get them.
func (o *outlets) alertSinks(c *conf.Config, list []plannedSink) []plannedSink {
	var own, traps []plannedSink
	for i := range c.Notify.Traps {
		traps = append(traps, trapSink(&c.Notify.Traps[i], c.Director.Name))
	}
	for i := range c.Alerts {
		a := &c.Alerts[i]
		if len(a.MailTo) > 0 {
			own = append(own, o.alertMail(a, c))
		}
		if a.Runs() {
			own = append(own, o.alertProgram(a, c))
		}
		for _, name := range a.Traps {
			if j := slices.IndexFunc(traps, func(p plannedSink) bool { return p.key == "trap "+name }); j >= 0 {
				traps[j].alerts = append(traps[j].alerts, a.Name)
			}
		}
		for j := range list {
			if name, isHook := hookName(&list[j]); isHook && slices.Contains(a.Webhooks, name) {
				list[j].alerts = append(list[j].alerts, a.Name)
			}
		}
	}
	return append(own, traps...)
}

func trapSink(r *conf.Trap, director string) plannedSink {
	o := notify.TrapOptions{
		Address: r.Address.String(), Community: string(r.Community), V3: r.Version == conf.TrapV3,
		User: r.User, Auth: r.Auth, AuthKey: string(r.AuthKey), Crypt: r.Crypt, CryptKey: string(r.CryptKey),
		EngineID: r.EngineID, Enterprise: r.Enterprise, Confirm: r.Confirm, Timeout: r.Timeout, Director: director,
	}
	return plannedSink{
		sink{key: "trap " + r.Name, name: "trap " + r.Name, spec: []any{*r, director}},
		retrying(&r.Retry, notify.SinkOptions{Transport: notify.NewTrap(o)}),
	}
}

// hookName returns the name of the webhook that a sink is.
func hookName(p *plannedSink) (name string, isHook bool) {
	spec, _ := p.spec.([]any)
	if len(spec) == 0 {
		return "", false
	}
	w, isHook := spec[0].(conf.Webhook)
	return w.Name, isHook
}

// alertMail sends the mails of an alert by the server of [notify.mail]. They do not
// wait for other events: the alert has gathered already.
func (o *outlets) alertMail(a *conf.Alert, c *conf.Config) plannedSink {
	m := c.Notify.Mail
	m.To, m.Events, m.Gather = a.MailTo, nil, 0
	p := o.mailSink(&m, c.Director.Name)
	p.key, p.name, p.alerts = "alert "+a.Name+" mail", "alert "+a.Name+" by mail", []string{a.Name}
	return p
}

func (o *outlets) alertProgram(a *conf.Alert, c *conf.Config) plannedSink {
	program := notify.AlertProgramOptions{
		Program: runAs(&a.Command, &c.Director), Recovery: runAs(&a.RecoveryCommand, &c.Director),
		Startup: programCall(&a.StartupCommand, &c.Director), Ack: programCall(&a.AckCommand, &c.Director),
		RecoveryBare: a.RecoveryCommand.OwnArguments, RecoveryTimeout: a.RecoveryCommand.Timeout, Mon: a.Style == conf.AlertMon, Bare: a.Command.OwnArguments,
		Timeout: a.Command.Timeout, Director: c.Director.Name, Log: o.log,
	}
	spec := program
	spec.Log = nil
	return plannedSink{
		sink{key: "alert " + a.Name + " command", name: "alert " + a.Name + " by command", spec: spec, alerts: []string{a.Name}, calls: true},
		notify.SinkOptions{
			Transport: notify.NewAlertProgram(program), Queue: alertQueue,
			RetryMin: fifoRetryMin, RetryMax: fifoRetryMax,
		},
	}
}

func programCall(c *conf.Command, d *conf.Director) notify.ProgramCall {
	return notify.ProgramCall{Program: runAs(c, d), Bare: c.OwnArguments, Timeout: c.Timeout}
}

// alertQueue is how many alerts wait for the program that delivers them.
const alertQueue = 64
