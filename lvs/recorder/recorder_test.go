package recorder

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/lvs"
)

var (
	service = lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Address: netip.MustParseAddrPort("10.0.0.100:80")}, Scheduler: "rr"}.Canonical()
	server  = lvs.Server{Address: netip.MustParseAddrPort("127.0.0.1:80"), Weight: 1}.Canonical()
)

func TestChangesAreRecordedWithTheirTimes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	table, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	seconds := int64(0)
	table.now = func() time.Time { seconds++; return time.Unix(seconds, 0) }
	for i, err := range table.Do(
		lvs.Op{Verb: lvs.AddService, Service: service},
		lvs.Op{Verb: lvs.AddServer, Service: service, Server: server},
		lvs.Op{Verb: lvs.DeleteServer, Service: service, Server: server},
	) {
		if err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	table.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `1000000000 ipvsadm -A -t 10.0.0.100:80 -s rr
2000000000 ipvsadm -a -t 10.0.0.100:80 -r 127.0.0.1:80 -m -w 1
3000000000 ipvsadm -d -t 10.0.0.100:80 -r 127.0.0.1:80
`
	if string(text) != want {
		t.Errorf("recorded:\n%swant:\n%s", text, want)
	}
}

// A change that the kernel would refuse is refused, and not recorded.
func TestRefusals(t *testing.T) {
	record := new(memory)
	table := newTable(record, time.Now)
	table.Do(lvs.Op{Verb: lvs.AddService, Service: service}, lvs.Op{Verb: lvs.AddServer, Service: service, Server: server})
	before := record.Len()
	other := service
	other.Key.Mark, other.Key.Protocol, other.Key.Address = 7, 0, netip.AddrPort{}
	absent := server
	absent.Address = netip.MustParseAddrPort("127.0.0.2:80")
	for _, tt := range []struct {
		op   lvs.Op
		want error
	}{
		{lvs.Op{Verb: lvs.AddService, Service: service}, lvs.ErrExists},
		{lvs.Op{Verb: lvs.DeleteService, Service: other}, lvs.ErrNoService},
		{lvs.Op{Verb: lvs.AddServer, Service: service, Server: server}, lvs.ErrExists},
		{lvs.Op{Verb: lvs.EditServer, Service: service, Server: absent}, lvs.ErrNoServer},
	} {
		if err := table.Do(tt.op)[0]; !errors.Is(err, tt.want) {
			t.Errorf("%v: %v, want %v", tt.op, err, tt.want)
		}
	}
	if record.Len() != before {
		t.Errorf("a refused change was recorded:\n%s", record.String()[before:])
	}
	if have, _ := table.Dump(); len(have) != 1 || len(have[0].Servers) != 1 {
		t.Errorf("the table holds %v, want one service with one server", have)
	}
}

// A memory is a record that no disk holds.
type memory struct{ strings.Builder }

func (*memory) Close() error { return nil }
