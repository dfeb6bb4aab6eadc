package agentx

import "fmt"

// An Error is the error code in a Response. RFC 2741 §6.2.16 defines the codes,
// and RFC 3416 those below 256.
type Error uint16

// The errors that we send or distinguish.
const (
	NoError               Error = 0
	ErrGeneral            Error = 5
	ErrCommitFailed       Error = 14
	ErrNotWritable        Error = 17
	ErrNotOpen            Error = 257
	ErrUnsupportedContext Error = 262
	ErrDuplicate          Error = 263
	ErrParse              Error = 266
	ErrDenied             Error = 267
)

// Error returns the error as text.
func (e Error) Error() string {
	switch e {
	case NoError:
		return "no error"
	case ErrGeneral:
		return "general error"
	case ErrNotWritable:
		return "not writable"
	case 256:
		return "the session could not be opened"
	case ErrNotOpen:
		return "the session is not open"
	case ErrUnsupportedContext:
		return "unsupported context"
	case ErrDuplicate:
		return "another session has registered the same objects"
	case ErrParse:
		return "parse error"
	case ErrDenied:
		return "request denied"
	case 268:
		return "processing error"
	}
	return fmt.Sprintf("error %d", uint16(e))
}

// A Reason says why a session is closed (RFC 2741 §6.2.2).
type Reason uint8

// The reasons.
const (
	ReasonOther    Reason = 1
	ReasonParse    Reason = 2
	ReasonProtocol Reason = 3
	ReasonTimeouts Reason = 4
	ReasonShutdown Reason = 5
	ReasonManager  Reason = 6
)

// String returns the reason as text.
func (r Reason) String() string {
	switch r {
	case ReasonOther:
		return "other"
	case ReasonParse:
		return "it could not parse a packet"
	case ReasonProtocol:
		return "it was sent what it did not expect"
	case ReasonTimeouts:
		return "too many requests timed out"
	case ReasonShutdown:
		return "it shuts down"
	case ReasonManager:
		return "a manager wanted it"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}
