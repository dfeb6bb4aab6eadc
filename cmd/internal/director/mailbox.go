package director

import "sync"

// A mailbox holds what is to be done in the director's loop. Posting never
// blocks, so the VRRP loop and the checker can tell of what they see whatever
// the director is doing.
type mailbox struct {
	mu     sync.Mutex
	queue  []func()
	signal chan struct{} // holds one token while the queue is not empty
}

func newMailbox() *mailbox { return &mailbox{signal: make(chan struct{}, 1)} }

// post queues f.
func (m *mailbox) post(f func()) {
	m.mu.Lock()
	m.queue = append(m.queue, f)
	m.mu.Unlock()
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// take returns what has been queued, in order.
func (m *mailbox) take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue = nil
	return q
}

// work does what is posted until stop is closed.
func (m *mailbox) work(stop <-chan struct{}) {
	for {
		select {
		case <-m.signal:
		case <-stop:
			return
		}
		for _, f := range m.take() {
			select {
			case <-stop:
				return
			default:
				f()
			}
		}
	}
}
