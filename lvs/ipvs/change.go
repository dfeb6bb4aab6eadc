package ipvs

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"

	"holdfast/lvs"
)

// Do makes changes in order, many with one system call, and returns the error of
// each. An error wraps the kernel's error number and, if one applies, an error of
// package lvs such as [lvs.ErrExists]. A change that fails does not stop the
// others.
func (c *Conn) Do(ops ...lvs.Op) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	requests := make([]request, len(ops))
	for i, op := range ops {
		requests[i] = change(op)
	}
	errs := make([]error, 0, len(ops))
	// The guard bounds each part by itself: one with a slow answer does not use up
	// the time of the others.
	for part := range slices.Chunk(requests, batchMessages) {
		errs = append(errs, c.own.batch(part)...)
	}
	for i, op := range ops {
		errs[i] = explain(op, errs[i])
	}
	return errs
}

// change returns the request for a change.
func change(op lvs.Op) request {
	service := op.Service.Canonical()
	switch op.Verb {
	case lvs.AddService:
		return request{command: cmdNewService, attrs: []*nl.RtAttr{encodeService(service)}}
	case lvs.EditService:
		return request{command: cmdSetService, attrs: []*nl.RtAttr{encodeService(service)}}
	case lvs.DeleteService:
		return request{command: cmdDelService, attrs: []*nl.RtAttr{encodeKey(service.Key)}}
	}
	command := map[lvs.Verb]uint8{lvs.AddServer: cmdNewDest, lvs.EditServer: cmdSetDest, lvs.DeleteServer: cmdDelDest}[op.Verb]
	return request{command: command, attrs: []*nl.RtAttr{
		encodeKey(service.Key),
		encodeServer(op.Server.Canonical(), op.Verb != lvs.DeleteServer),
	}}
}

// explain adds the meaning of the kernel's error number
// (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_genl_set_cmd).
func explain(op lvs.Op, err error) error {
	var known error
	switch {
	case errors.Is(err, syscall.EEXIST):
		known = lvs.ErrExists
	case errors.Is(err, syscall.ESRCH):
		known = lvs.ErrNoService
	case errors.Is(err, syscall.ENOENT) && op.Verb.Server():
		known = lvs.ErrNoServer
	case errors.Is(err, syscall.ENOENT) && op.Service.PersistEngine != "":
		known = fmt.Errorf("%w, or no such persistence engine (modules ip_vs_%s and ip_vs_pe_%s)", lvs.ErrNoScheduler, op.Service.Scheduler, op.Service.PersistEngine)
	case errors.Is(err, syscall.ENOENT):
		known = fmt.Errorf("%w (module ip_vs_%s)", lvs.ErrNoScheduler, op.Service.Scheduler)
	case errors.Is(err, syscall.EINVAL) && op.Verb.Server() && op.Server.Address.Addr().Unmap().Is6() != op.Service.Key.Canonical().IPv6:
		known = errors.New("the kernel accepts a server of another address family than the service only with forward tun and while no sync daemon runs")
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", known, err)
}

// Timeouts returns the connection timeouts.
func (c *Conn) Timeouts() (lvs.Timeouts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	messages, err := c.own.do(request{command: cmdGetConfig, query: true})
	if err == nil && (len(messages) != 1 || len(messages[0]) < headerLen) {
		err = errMalformed
	}
	if err != nil {
		return lvs.Timeouts{}, wrap(err, "read the IPVS connection timeouts")
	}
	t, err := decodeTimeouts(messages[0][headerLen:])
	return t, wrap(err, "read the IPVS connection timeouts")
}

// SetTimeouts sets the connection timeouts. A timeout of 0 is left unchanged.
func (c *Conn) SetTimeouts(t lvs.Timeouts) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.own.do(request{command: cmdSetConfig, attrs: encodeTimeouts(t)})
	return wrap(err, "set the IPVS connection timeouts")
}

// wrap returns err with what was attempted before it, or nil.
func wrap(err error, attempt string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", attempt, err)
}
