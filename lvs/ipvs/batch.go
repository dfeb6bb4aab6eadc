package ipvs

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"holdfast/lvs"
)

// The bounds of what is sent in one system call. The kernel carries out the whole
// of it before the call returns, and keeps every acknowledgement in the receive
// buffer, of which one takes up to 1,280 bytes. 128 of them fit into a buffer of
// the default size, 212,992 bytes, and so does what asks for them into the send
// buffer.
const (
	batchMessages = 128
	batchBytes    = 64 << 10
)

// batch sends requests that ask for an acknowledgement, as many as fit at a time,
// and returns the error of each. The kernel carries them out in order. One that
// fails does not stop the others.
func (s *socket) batch(requests []request) []error {
	errs := make([]error, 0, len(requests))
	for len(errs) < len(requests) {
		errs = append(errs, s.sendTogether(requests[len(errs):])...)
	}
	return errs
}

// sendTogether sends the first requests, as many as fit, and returns the error of
// each of these.
func (s *socket) sendTogether(requests []request) []error {
	var message []byte
	var sequences []uint32
	for _, r := range requests {
		one := s.message(s.family, header{r.command, familyVersion}, unix.NLM_F_ACK, r.attrs)
		b := one.Serialize()
		if len(sequences) == batchMessages || len(sequences) > 0 && len(message)+len(b) > batchBytes {
			break
		}
		message = append(message, b...)
		for len(message)%unix.NLMSG_ALIGNTO != 0 {
			message = append(message, 0)
		}
		sequences = append(sequences, one.Seq)
	}
	if err := unix.Sendto(s.nl.GetFd(), message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return repeat(fmt.Errorf("send %d IPVS changes: %w", len(sequences), err), len(sequences))
	}
	return s.acknowledgements(sequences)
}

// acknowledgements reads the answers to messages with consecutive sequence numbers.
// The kernel answers in order, but leaves out the answer if a signal ended what it
// did. A message whose answer is missing has the error lvs.ErrUnanswered.
func (s *socket) acknowledgements(sequences []uint32) []error {
	errs := repeat(lvs.ErrUnanswered, len(sequences))
	tv := unix.NsecToTimeval(int64(answerTimeout))
	if err := s.nl.SetReceiveTimeout(&tv); err != nil {
		return repeat(err, len(sequences))
	}
	for last := len(sequences) - 1; errs[last] == lvs.ErrUnanswered; {
		messages, from, err := s.nl.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS): // what was dropped stays unanswered
			continue
		case errors.Is(err, unix.EAGAIN):
			return errs
		case err != nil:
			return append(errs[:0], repeat(fmt.Errorf("read the answers to %d IPVS changes: %w", len(sequences), err), len(sequences))...)
		case from.Pid != nl.PidKernel:
			continue
		}
		for i := range messages {
			n := messages[i].Header.Seq - sequences[0]
			if messages[i].Header.Type == unix.NLMSG_ERROR && n <= uint32(last) {
				errs[n] = acknowledgement(&messages[i])
			}
		}
	}
	return errs
}

// acknowledgement returns the error of a message of type NLMSG_ERROR, nil for
// success.
func acknowledgement(m *syscall.NetlinkMessage) error {
	if len(m.Data) < 4 {
		return fmt.Errorf("%w: an acknowledgement of %d bytes", errMalformed, len(m.Data))
	}
	if number := int32(native.Uint32(m.Data)); number != 0 {
		return syscall.Errno(-number)
	}
	return nil
}

// message returns a request with a sequence number of its own.
func (s *socket) message(family uint16, h header, flags int, attrs []*nl.RtAttr) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(int(family), flags)
	req.Seq = atomic.AddUint32(&s.handle[unix.NETLINK_GENERIC].Seq, 1)
	req.AddData(h)
	for _, a := range attrs {
		req.AddData(a)
	}
	return req
}

func repeat(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
