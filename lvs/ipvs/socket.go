package ipvs

import (
	"cmp"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"holdfast/lvs"
)

// headerLen is the length of the generic netlink header, struct genlmsghdr: a byte
// for the command, one for the version and two that are reserved.
const headerLen = 4

type header struct{ command, version uint8 }

// A request is one generic netlink command.
type request struct {
	command uint8
	dump    bool
	// query asks for an answer of one message. A request with neither query nor
	// dump asks for an acknowledgement.
	query bool
	attrs []*nl.RtAttr
	// timeout bounds the wait for each message of the answer; 0 is answerTimeout.
	timeout time.Duration
}

// The timeouts of a request.
const (
	answerTimeout = 2 * time.Second
	sendTimeout   = 2 * time.Second
)

// errInterrupted: another program changed the table during a dump
// (NLM_F_DUMP_INTR).
var errInterrupted = errors.New("another program changed the table meanwhile")

// A socket is a generic netlink socket with timeouts. It is not safe for concurrent
// use.
type socket struct {
	fd       int
	family   uint16
	sequence uint32
	timeout  time.Duration // of receiving, as the kernel has it
	// buffer takes what one system call receives. The kernel sends at most 32 KiB of
	// a dump at a time (netlink_dump in net/netlink/af_netlink.c).
	buffer [64 << 10]byte
}

func openSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open a generic netlink socket: %w", err)
	}
	tv := unix.NsecToTimeval(int64(sendTimeout))
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1), // errors do not repeat the request
	)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("configure a generic netlink socket: %w", err)
	}
	return &socket{fd: fd}, nil
}

func (s *socket) close() { unix.Close(s.fd) }

// do sends a request to the socket's family and returns the messages of the answer.
// Each begins with its generic netlink header.
func (s *socket) do(r request) ([][]byte, error) {
	return s.ask(s.family, header{r.command, familyVersion}, r)
}

func (s *socket) ask(family uint16, h header, r request) ([][]byte, error) {
	flags := unix.NLM_F_ACK
	switch {
	case r.dump:
		flags = unix.NLM_F_DUMP
	case r.query:
		flags = 0
	}
	if err := s.send(s.message(nil, family, h, flags, r.attrs)); err != nil {
		return nil, err
	}
	timeout := cmp.Or(r.timeout, answerTimeout)
	if err := s.setTimeout(timeout); err != nil {
		return nil, err
	}
	messages, err := s.answer(s.sequence)
	if errors.Is(err, unix.EAGAIN) {
		return nil, fmt.Errorf("%w in %v", lvs.ErrUnanswered, timeout)
	}
	return messages, err
}

// message appends a netlink message to b. Its sequence number is s.sequence
// afterwards.
func (s *socket) message(b []byte, family uint16, h header, flags int, attrs []*nl.RtAttr) []byte {
	s.sequence++
	start := len(b)
	b = native.AppendUint32(b, 0) // the length, see below
	b = native.AppendUint16(b, family)
	b = native.AppendUint16(b, uint16(unix.NLM_F_REQUEST|flags))
	b = native.AppendUint32(b, s.sequence)
	b = native.AppendUint32(b, 0) // the kernel knows the sender
	b = append(b, h.command, h.version, 0, 0)
	for _, a := range attrs {
		b = append(b, a.Serialize()...)
	}
	native.PutUint32(b[start:], uint32(len(b)-start))
	for len(b)%unix.NLMSG_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

func (s *socket) send(messages []byte) error {
	err := unix.Sendto(s.fd, messages, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err != nil {
		return fmt.Errorf("send %d bytes to IPVS: %w", len(messages), err)
	}
	return nil
}

// setTimeout bounds the wait of receive.
func (s *socket) setTimeout(d time.Duration) error {
	if d == s.timeout {
		return nil
	}
	tv := unix.NsecToTimeval(int64(d))
	if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return fmt.Errorf("set a timeout of %v: %w", d, err)
	}
	s.timeout = d
	return nil
}

// receive returns the next messages from the kernel. They are valid until the next
// call. The error wraps EAGAIN if none has come in time.
func (s *socket) receive() ([]syscall.NetlinkMessage, error) {
	for {
		n, from, err := unix.Recvfrom(s.fd, s.buffer[:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("receive from IPVS: %w", err)
		}
		if kernel, ok := from.(*unix.SockaddrNetlink); ok && kernel.Pid == nl.PidKernel {
			return syscall.ParseNetlinkMessage(s.buffer[:n])
		}
	}
}

// answer returns the messages of the answer to a request. It skips late answers to
// earlier requests.
func (s *socket) answer(sequence uint32) ([][]byte, error) {
	var answer [][]byte
	interrupted := false
	for {
		messages, err := s.receive()
		if err != nil {
			return nil, err
		}
		for i := range messages {
			m := &messages[i]
			if m.Header.Seq != sequence {
				continue
			}
			interrupted = interrupted || m.Header.Flags&unix.NLM_F_DUMP_INTR != 0
			switch {
			case m.Header.Type == unix.NLMSG_ERROR, m.Header.Type == unix.NLMSG_DONE:
				if err := result(m); err != nil {
					return nil, err
				}
				if interrupted {
					return nil, errInterrupted
				}
				return answer, nil
			}
			answer = append(answer, append([]byte(nil), m.Data...))
			if m.Header.Flags&unix.NLM_F_MULTI == 0 {
				return answer, nil
			}
		}
	}
}

// result returns the error in a message of type NLMSG_ERROR or NLMSG_DONE, nil for
// success.
func result(m *syscall.NetlinkMessage) error {
	if len(m.Data) < 4 {
		if m.Header.Type == unix.NLMSG_DONE {
			return nil
		}
		return fmt.Errorf("%w: an acknowledgement of %d bytes", errMalformed, len(m.Data))
	}
	number := int32(native.Uint32(m.Data))
	if number == 0 {
		return nil
	}
	err := error(syscall.Errno(-number))
	if said := explanation(m); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// explanation returns the kernel's text about an error (NLMSGERR_ATTR_MSG), or "".
func explanation(m *syscall.NetlinkMessage) string {
	const attributes = 4 + unix.SizeofNlMsghdr // after the error number and the header of the request
	if m.Header.Type != unix.NLMSG_ERROR || m.Header.Flags&unix.NLM_F_ACK_TLVS == 0 || len(m.Data) < attributes {
		return ""
	}
	said := ""
	_ = walk(m.Data[attributes:], func(kind uint16, value []byte) error { // what is malformed explains nothing
		if kind == unix.NLMSGERR_ATTR_MSG {
			said = text(value)
		}
		return nil
	})
	return said
}

// find returns the number of a generic netlink family (GENL_CTRL_CMD_GETFAMILY).
// The error is ENOENT if the kernel does not have the family.
func (s *socket) find(name string) (uint16, error) {
	r := request{query: true, attrs: []*nl.RtAttr{nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(name))}}
	messages, err := s.ask(nl.GENL_ID_CTRL, header{nl.GENL_CTRL_CMD_GETFAMILY, nl.GENL_CTRL_VERSION}, r)
	if err != nil {
		return 0, err
	}
	if len(messages) != 1 {
		return 0, fmt.Errorf("%w: %d families have the name %s", errMalformed, len(messages), name)
	}
	id, err := nest(messages[0], nl.GENL_CTRL_ATTR_FAMILY_ID)
	if err != nil {
		return 0, err
	}
	n, err := integer(id)
	return uint16(n), err
}

// dump sends a request for a dump. It repeats it when the kernel reports that
// another program has changed the table during the dump.
func (s *socket) dump(r request) ([][]byte, error) {
	r.dump = true
	for range 4 {
		messages, err := s.do(r)
		if !errors.Is(err, errInterrupted) {
			return messages, err
		}
	}
	return nil, fmt.Errorf("another program changed the table during each of 4 attempts: %w", syscall.EINTR)
}
