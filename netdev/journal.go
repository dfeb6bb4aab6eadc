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
)

// journalName is the file's name in the runtime directory.
const journalName = "netdev.json"

// journalVersion changes when an older file can no longer be read.
const journalVersion = 1

// A journal is what must be undone, on disk before it is done: a run that
// crashes leaves it to the next one, which then restores the values from
// before the first of them.
type journal struct {
	path string

	Version int `json:"version"`
	// Boot and Namespace say which kernel state the rest is about: after a
	// reboot, or in another network namespace, it is about nothing.
	Boot      string `json:"boot"`
	Namespace string `json:"namespace"`

	Sysctls []record `json:"sysctls,omitempty"`
	// Devices may be up or hold addresses.
	Devices []Spec `json:"devices,omitempty"`
	// Addresses were put on interfaces that are not ours.
	Addresses []heldAddress `json:"addresses,omitempty"`
}

// A record is one sysctl that we changed.
type record struct {
	Key     string `json:"key"`               // "ipv4/conf/eth0/arp_ignore"
	IfIndex int    `json:"ifindex,omitempty"` // of the interface in the key; 0 for all and default
	Was     string `json:"was"`
	Set     string `json:"set"`
}

type heldAddress struct {
	IfIndex int          `json:"ifindex"`
	Prefix  netip.Prefix `json:"prefix"`
}

// openJournal reads the journal in dir, or starts an empty one if there is
// none, or if what is there speaks of another boot or namespace.
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
		path: filepath.Join(dir, journalName), Version: journalVersion,
		Boot: strings.TrimSpace(string(boot)), Namespace: namespace,
	}
	data, err := os.ReadFile(fresh.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	old := *fresh
	if err := json.Unmarshal(data, &old); err != nil {
		return nil, fmt.Errorf("read journal %s: %w", fresh.path, err)
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

// namespaceID tells network namespaces apart, also after one has gone and
// another got its inode number, where the kernel can (Linux 5.14).
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

// save writes the journal, whole or not at all. There is no sync: a crash of
// the machine makes the content void anyway.
func (j *journal) save() error {
	if len(j.Sysctls)+len(j.Devices)+len(j.Addresses) == 0 {
		if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	temporary := j.path + ".new"
	if err := os.WriteFile(temporary, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if err := os.Rename(temporary, j.path); err != nil {
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

// is reports whether r is about this setting. An interface is known by its
// index: it may have been renamed.
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
