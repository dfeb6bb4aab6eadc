package ipvs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"holdfast/lvs"
)

// The bounds of what is sent in one system call. The kernel carries out the whole
// of it before the call returns, and keeps what it has to say of each message in
// the receive buffer, up to 1,280 bytes. 128 of them fit into a buffer of the
// default size, 212,992 bytes.
const (
	batchMessages = 128
	batchBytes    = 64 << 10
)

// batch sends requests, as many together as fit, and returns the error of each. The
// kernel carries them out in order. One that fails does not stop the others.
func (s *socket) batch(requests []request) []error {
	errs := make([]error, 0, len(requests))
	for len(errs) < len(requests) {
		errs = append(errs, s.sendTogether(requests[len(errs):])...)
	}
	return errs
}

// sendTogether sends the first requests, as many as fit, and returns the error of
// each of these. Only the last asks for an acknowledgement. Of the others the kernel
// reports those that fail, before the acknowledgement of the last.
func (s *socket) sendTogether(requests []request) []error {
	var b []byte
	first, n := s.sequence+1, 0
	for full := false; !full; n++ {
		full = n+1 == min(len(requests), batchMessages) || len(b) > batchBytes
		flags := 0
		if full {
			flags = unix.NLM_F_ACK
		}
		b = s.message(b, s.family, header{requests[n].command, familyVersion}, flags, requests[n].attrs)
	}
	if err := s.send(b); err != nil {
		return repeat(err, n)
	}
	return s.failures(first, n)
}

// failures returns the errors of n messages whose sequence numbers begin with first,
// of which the last asked for an acknowledgement.
func (s *socket) failures(first uint32, n int) []error {
	errs, lost := make([]error, n), false
	if err := s.setTimeout(answerTimeout); err != nil {
		return repeat(err, n)
	}
	for {
		messages, err := s.receive()
		switch {
		case errors.Is(err, unix.ENOBUFS): // the kernel has dropped errors, and perhaps the acknowledgement
			lost = true
			continue
		case errors.Is(err, unix.EAGAIN):
			return unanswered(errs)
		case err != nil:
			return repeat(err, n)
		}
		for i := range messages {
			at := messages[i].Header.Seq - first
			if messages[i].Header.Type != unix.NLMSG_ERROR || at >= uint32(n) {
				continue
			}
			errs[at] = result(&messages[i])
			if at == uint32(n-1) && lost {
				return unanswered(errs)
			}
			if at == uint32(n-1) {
				return errs
			}
		}
	}
}

// unanswered replaces the successes in errs, because they are not known to be any.
func unanswered(errs []error) []error {
	for i, err := range errs {
		if err == nil {
			errs[i] = fmt.Errorf("%w in %v", lvs.ErrUnanswered, answerTimeout)
		}
	}
	return errs
}

func repeat(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
