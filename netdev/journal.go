package netdev

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/netdev/statefile"
)

// JournalName is the name of the journal in the runtime directory.
const JournalName = "netdev.json"

// journalVersion is raised when older files can no longer be read.
const journalVersion = 1

// A journal lists what must be undone. It is on disk before anything is changed,
// so a run that crashes leaves it to the next run, which restores the values from
// before the first run.
type journal struct {
	path    string
	behind  bool  // the file does not say what the fields say
	damaged error // why the file of an earlier run could not be used

	Version int `json:"version"`
	// Boot and Namespace identify the kernel state that the rest describes. After a
	// reboot, or in another network namespace, the rest means nothing.
	Boot      string `json:"boot"`
	Namespace string `json:"namespace"`

	Sysctls []record `json:"sysctls,omitempty"`
	// Devices are those that may be up or have addresses.
	Devices []Spec `json:"devices,omitempty"`
	// Addresses were added to interfaces that are not ours.
	Addresses []heldAddress `json:"addresses,omitempty"`
}

// A record is one sysctl that we changed.
type record struct {
	Key     string `json:"key"`               // "ipv4/conf/eth0/arp_ignore"
	IfIndex int    `json:"ifindex,omitempty"` // of the interface in the key; 0 for all and default
	Was     string `json:"was"`
	Set     string `json:"set"`

	unsaved bool // not in the file yet
}

type heldAddress struct {
	IfIndex int          `json:"ifindex"`
	Prefix  netip.Prefix `json:"prefix"`
}

// openJournal reads the journal in dir. It starts an empty one if there is none, or
// if the file is about another boot or namespace.
func openJournal(dir string) (*journal, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("identify this boot: %w", err)
	}
	namespace, err := namespaceID()
	if err != nil {
		return nil, fmt.Errorf("identify the network namespace: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make runtime directory: %w", err)
	}
	fresh := &journal{
		path: filepath.Join(dir, JournalName), Version: journalVersion,
		Boot: strings.TrimSpace(string(boot)), Namespace: namespace,
	}
	data, err := statefile.Read(fresh.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	old := *fresh
	if err := json.Unmarshal(data, &old); err != nil {
		return fresh, fresh.setAside(err)
	}
	if old.Boot != fresh.Boot || old.Namespace != fresh.Namespace {
		return fresh, nil
	}
	if old.Version != journalVersion {
		return nil, fmt.Errorf("read journal %s: version %d is not the version %d of this program: "+
			"stop the program that wrote it", fresh.path, old.Version, journalVersion)
	}
	return &old, nil
}

// damagedSuffix is what the name of a journal gets that is no JSON.
const damagedSuffix = ".damaged"

// setAside keeps a file that cannot be read, as after a power cut on a disk, for people. A
// director that does not start is worse than sysctls that stay as they are.
func (j *journal) setAside(cause error) error {
	j.damaged = fmt.Errorf("read journal %s: %w; it is %s now", j.path, cause, j.path+damagedSuffix)
	if err := os.Rename(j.path, j.path+damagedSuffix); err != nil {
		return fmt.Errorf("read journal %s: %w", j.path, errors.Join(cause, err))
	}
	return nil
}

// namespaceID identifies the network namespace. Since Linux 5.14 it does so even
// if a later namespace gets the inode number of one that is gone.
func namespaceID() (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err == nil {
		return fmt.Sprintf("cookie:%d", cookie), nil
	}
	return os.Readlink("/proc/thread-self/ns/net")
}

// save writes the journal, completely or not at all. It does not sync: a crash of
// the machine makes the content meaningless anyway.
func (j *journal) save() error {
	if err := j.write(); err != nil {
		j.behind = true
		return err
	}
	j.behind = false
	for i := range j.Sysctls {
		j.Sysctls[i].unsaved = false
	}
	return nil
}

func (j *journal) write() error {
	if len(j.Sysctls)+len(j.Devices)+len(j.Addresses) == 0 {
		if err := statefile.Remove(j.path); err != nil {
			return fmt.Errorf("remove journal: %w", err)
		}
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	if err := e.Encode(j); err != nil {
		return fmt.Errorf("encode journal: %w", err)
	}
	if err := statefile.Replace(j.path, b.Bytes()); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// record returns the entry of a key on the interface with this index, or nil.
func (j *journal) record(key string, index int) *record {
	for i := range j.Sysctls {
		if r := &j.Sysctls[i]; r.is(key, index) {
			return r
		}
	}
	return nil
}

// is reports whether r is about a sysctl. It compares interfaces by index, because
// an interface may have been renamed.
func (r *record) is(key string, index int) bool {
	if r.IfIndex != index {
		return false
	}
	if index == 0 {
		return r.Key == key
	}
	a, b := strings.Split(r.Key, "/"), strings.Split(key, "/")
	return a[0] == b[0] && a[len(a)-1] == b[len(b)-1]
}
