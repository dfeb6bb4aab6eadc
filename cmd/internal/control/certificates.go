package control

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lookPause is the least time between two looks at the files of certificates.
const lookPause = time.Second

// Certificates are the certificates of a listener. They are read again when their files
// change.
type Certificates struct {
	source CertificateSource
	now    func() time.Time

	used   atomic.Pointer[tls.Config] // nil: none could be read yet
	mu     sync.Mutex                 // held while the files are read, which can take long
	stamps []stamp                    // of the files when they were read last
	looked time.Time
	err    error // why the files cannot be used
}

// A CertificateSource is where certificates come from, and how they are used.
type CertificateSource struct {
	// Load reads the files. clients is nil if clients are not asked for certificates.
	Load       func() (own tls.Certificate, clients *x509.CertPool, err error)
	Files      []string // that Load reads
	Require    bool     // clients must have a certificate
	MinVersion uint16
	// Failed is called with every new error, and with nil when there is none any more,
	// in any goroutine. It must not call Certificates.
	Failed func(error)
}

// A stamp tells whether a file was changed or replaced.
type stamp struct {
	info os.FileInfo // nil: it cannot be seen
}

func stampsOf(files []string) []stamp {
	list := make([]stamp, len(files))
	for i, path := range files {
		if info, err := os.Stat(path); err == nil {
			list[i] = stamp{info}
		}
	}
	return list
}

func (s stamp) same(o stamp) bool {
	if s.info == nil || o.info == nil {
		return s.info == nil && o.info == nil
	}
	return os.SameFile(s.info, o.info) && s.info.ModTime().Equal(o.info.ModTime()) && s.info.Size() == o.info.Size()
}

// NewCertificates returns Certificates that have not been read: Reload reads them.
func NewCertificates(s CertificateSource) *Certificates {
	return &Certificates{source: s, now: time.Now}
}

// Reload reads the files. After an error the certificates that were read before stay
// in use.
func (c *Certificates) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read(stampsOf(c.source.Files))
	return c.err
}

// read reads the files, which have these stamps. c.mu is held.
func (c *Certificates) read(stamps []stamp) {
	own, clients, err := c.source.Load()
	c.stamps, c.looked = stamps, c.now()
	if changed := (err == nil) != (c.err == nil) || err != nil && err.Error() != c.err.Error(); changed {
		c.err = err
		c.source.Failed(err)
	}
	if err != nil {
		return
	}
	used := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: c.source.MinVersion, NextProtos: []string{"h2", "http/1.1"}}
	if clients != nil {
		used.ClientCAs, used.ClientAuth = clients, tls.VerifyClientCertIfGiven
		if c.source.Require {
			used.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	c.used.Store(used)
}

// Expires returns until when the certificate in use is valid; the zero time if there
// is none.
func (c *Certificates) Expires() time.Time {
	used := c.used.Load()
	if used == nil {
		return time.Time{}
	}
	return used.Certificates[0].Leaf.NotAfter
}

// config returns a configuration that uses the newest certificates in every handshake.
func (c *Certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: c.source.MinVersion,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.current()
		},
	}
}

// current returns the configuration in use, after a look whether the files have changed.
// While another handshake looks, the file server may be slow, and the configuration
// that is known is good enough.
func (c *Certificates) current() (*tls.Config, error) {
	if used := c.used.Load(); used != nil && !c.mu.TryLock() {
		return used, nil
	} else if used == nil {
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	c.look()
	if used := c.used.Load(); used != nil {
		return used, nil
	}
	return nil, c.err
}

// look reads the files if they have changed. c.mu is held.
func (c *Certificates) look() {
	if c.now().Sub(c.looked) < lookPause {
		return
	}
	c.looked = c.now()
	stamps := stampsOf(c.source.Files)
	if !slices.EqualFunc(stamps, c.stamps, stamp.same) {
		c.read(stamps)
	}
}
