package ipvs

import (
	"cmp"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"holdfast/lvs"
)

// headerLen is the length of the generic netlink header, struct genlmsghdr: a byte
// for the command, one for the version and two that are reserved.
const headerLen = 4

type header struct{ command, version uint8 }

func (h header) Len() int          { return headerLen }
func (h header) Serialize() []byte { return []byte{h.command, h.version, 0, 0} }

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

// A socket is a generic netlink socket with timeouts. It is not safe for concurrent
// use.
type socket struct {
	nl     *nl.NetlinkSocket
	handle map[int]*nl.SocketHandle
	family uint16
}

func openSocket() (*socket, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open a generic netlink socket: %w", err)
	}
	tv := unix.NsecToTimeval(int64(sendTimeout))
	if err := errors.Join(s.SetSendTimeout(&tv), s.SetExtAck(true)); err != nil {
		s.Close()
		return nil, fmt.Errorf("configure a generic netlink socket: %w", err)
	}
	return &socket{nl: s, handle: map[int]*nl.SocketHandle{unix.NETLINK_GENERIC: {Socket: s}}}, nil
}

func (s *socket) close() { s.nl.Close() }

// do sends a request to the socket's family and returns the messages of the answer.
// Each begins with its generic netlink header.
func (s *socket) do(r request) ([][]byte, error) {
	return s.send(s.family, header{r.command, familyVersion}, r)
}

func (s *socket) send(family uint16, h header, r request) ([][]byte, error) {
	timeout := cmp.Or(r.timeout, answerTimeout)
	tv := unix.NsecToTimeval(int64(timeout))
	if err := s.nl.SetReceiveTimeout(&tv); err != nil {
		return nil, err
	}
	flags := unix.NLM_F_ACK
	switch {
	case r.dump:
		flags = unix.NLM_F_DUMP
	case r.query:
		flags = 0
	}
	req := s.message(family, h, flags, r.attrs)
	req.Sockets = s.handle
	// Execute skips a late answer to an earlier request by its sequence number.
	messages, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if errors.Is(err, unix.EAGAIN) {
		return nil, fmt.Errorf("%w in %v", lvs.ErrUnanswered, timeout)
	}
	return messages, err
}

// find returns the number of a generic netlink family (GENL_CTRL_CMD_GETFAMILY).
// The error is ENOENT if the kernel does not have the family.
func (s *socket) find(name string) (uint16, error) {
	r := request{query: true, attrs: []*nl.RtAttr{nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(name))}}
	messages, err := s.send(nl.GENL_ID_CTRL, header{nl.GENL_CTRL_CMD_GETFAMILY, nl.GENL_CTRL_VERSION}, r)
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
// another program has changed the table during the dump (NLM_F_DUMP_INTR).
func (s *socket) dump(r request) ([][]byte, error) {
	r.dump = true
	for range 4 {
		messages, err := s.do(r)
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			return messages, err
		}
	}
	return nil, fmt.Errorf("another program changed the table during each of 4 attempts: %w", syscall.EINTR)
}
