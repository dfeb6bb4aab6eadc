package director

import (
	"errors"
	"time"

	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// vrrpPort adapts a port.Port to what a speaker wants.
type vrrpPort struct {
	*port.Port
	in  []port.Packet
	out []port.Frame
}

// Receive implements speaker.Port.
func (p *vrrpPort) Receive(deadline time.Time, into []speaker.Packet) ([]speaker.Packet, error) {
	in, err := p.Port.Receive(deadline, p.in[:0])
	if err != nil {
		return into, err
	}
	p.in = in
	for i := range in {
		into = append(into, speaker.Packet{IfIndex: in[i].IfIndex, Packet: vrrp.Packet{
			Source: in[i].Source, Destination: in[i].Destination,
			HopLimit: in[i].HopLimit, Payload: in[i].Payload,
		}, Datagram: in[i].Datagram})
	}
	return into, nil
}

// Send implements speaker.Port.
func (p *vrrpPort) Send(frames []speaker.Frame) []speaker.SendError {
	p.out = p.out[:0]
	for _, f := range frames {
		p.out = append(p.out, port.Frame(f))
	}
	if _, err := p.Port.Send(p.out); err != nil {
		return refusals(err)
	}
	return nil
}

// refusals takes apart the error of a port.Port's Send.
func refusals(err error) (all []speaker.SendError) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, one := range joined.Unwrap() {
		if refused := (*port.SendError)(nil); errors.As(one, &refused) {
			all = append(all, speaker.SendError{IfIndex: refused.IfIndex, Err: refused})
		}
	}
	return all
}
