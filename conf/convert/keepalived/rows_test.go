package keepalived

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/conf/convert"
	"holdfast/conf/convert/converttest"
)

// What the documentation says of a word is what becomes of it.
func TestRows(t *testing.T) {
	var tables []converttest.Table
	paths := map[string]int{}
	pair := certificate(t)
	eachWordByBlock(func(path string, w *word) {
		if _, known := paths[path]; !known {
			paths[path] = len(tables)
			tables = append(tables, converttest.Table{Title: titleOf(path), Files: func(lines string) []convert.File {
				return wrap(path, strings.ReplaceAll(lines, "/etc/ssl/client", pair))
			}})
		}
		table := &tables[paths[path]]
		table.Known = append(table.Known, w.name)
	})
	read := func(in convert.Input, report *convert.Report) *convert.Result {
		in.Glob, in.Read = filepath.Glob, func(path string) ([]byte, error) {
			if strings.HasPrefix(path, "/vrrp_hmac") {
				return []byte("0123456789abcdef0123456789abcde" + path[len(path)-1:]), nil
			}
			return os.ReadFile(path)
		}
		return Convert(in, report)
	}
	converttest.Rows(t, read, docPath, "testdata/rows.txt", tables)
}

// certificate makes a certificate for a client with its key. It returns the path of the
// files up to .pem and .key.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), "client")
	for name, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: cert}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(base+name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

// titleOf is the title of the table for the words of a block.
func titleOf(path string) string {
	if path == "" {
		return "Top level"
	}
	return "`" + strings.ReplaceAll(path, ".", "` / `") + "`"
}

// base is what stands around the lines of a row, so that what they name is there.
const base = `vrrp_script s1 {
 script /bin/true
}
vrrp_track_process p1 {
 process haproxy
}
vrrp_track_file f1 {
 file /run/f1
}
bfd_instance b1 {
 neighbor_ip 10.9.0.1
 source_ip 10.9.0.2
}
vrrp_instance VI_2 {
 interface eth0
 virtual_router_id 52
 virtual_ipaddress {
  10.0.0.102/24
 }
}
vrrp_instance VI_3 {
 interface eth0
 virtual_router_id 53
 virtual_ipaddress {
  10.0.0.103/24
 }
}
vrrp_instance VI_6 {
 interface eth6
 virtual_router_id 56
 virtual_ipaddress {
  fe80::56/64
 }
}
`

// blocks are what is around the lines of a block: up to them, and behind them.
var blocks = map[string][2]string{
	"":                             {"", ""},
	"vrrp_sync_group":              {"vrrp_sync_group G1 {\n", " group {\n  VI_2\n  VI_3\n }\n}\n"},
	"vrrp_instance":                {"vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.0.0.101/24\n }\n", "}\n"},
	"vrrp_instance.authentication": {"vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.0.0.101/24\n }\n authentication {\n", " }\n}\n"},
	"vrrp_instance.auth_hmac":      {"vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n version 3\n virtual_ipaddress {\n  10.0.0.101/24\n }\n auth_hmac {\n", " }\n}\n"},
	"vrrp_script":                  {"vrrp_script s2 {\n script /bin/false\n", "}\n"},
	"vrrp_track_process":           {"vrrp_track_process p2 {\n", "}\n"},
	"track_file":                   {"track_file f2 {\n file /run/f2\n", "}\n"},
	"vrrp_track_file":              {"vrrp_track_file f2 {\n file /run/f2\n", "}\n"},
	"bfd_instance":                 {"bfd_instance b2 {\n neighbor_ip 10.9.0.3\n source_ip 10.9.0.4\n", "}\n"},
	"virtual_server":               {"virtual_server 10.0.0.101 80 {\n protocol TCP\n real_server 192.168.0.1 80 {\n  TCP_CHECK {\n  }\n }\n", "}\n"},
	"virtual_server.real_server":   {"virtual_server 10.0.0.101 80 {\n protocol TCP\n real_server 192.168.0.1 80 {\n", " }\n}\n"},
	"virtual_server.real_server.HTTP_GET.url": {"virtual_server 10.0.0.101 80 {\n protocol TCP\n real_server 192.168.0.1 80 {\n  HTTP_GET {\n   url {\n path /\n", "   }\n  }\n }\n}\n"},
	"virtual_server.real_server.SSL_GET.url":  {"virtual_server 10.0.0.101 443 {\n protocol TCP\n real_server 192.168.0.1 443 {\n  SSL_GET {\n   url {\n path /\n", "   }\n  }\n }\n}\n"},
	"virtual_server.real_server.HTTP_GET":     {"virtual_server 10.0.0.101 80 {\n protocol TCP\n real_server 192.168.0.1 80 {\n  HTTP_GET {\n   url {\n    path /\n   }\n", "  }\n }\n}\n"},
	"virtual_server.real_server.SSL_GET":      {"virtual_server 10.0.0.101 443 {\n protocol TCP\n real_server 192.168.0.1 443 {\n  SSL_GET {\n   url {\n    path /\n   }\n", "  }\n }\n}\n"},
	"virtual_server.real_server.MISC_CHECK":   {"virtual_server 10.0.0.101 80 {\n protocol TCP\n real_server 192.168.0.1 80 {\n  MISC_CHECK {\n   misc_path /etc/check.sh\n", "  }\n }\n}\n"},
	"virtual_server.real_server.BFD_CHECK":    {"virtual_server 10.0.0.101 80 {\n protocol TCP\n real_server 192.168.0.1 80 {\n  BFD_CHECK {\n", "  }\n }\n}\n"},
}

// wrap returns a file with lines in a block. What follows a line "---" stands at the top
// level.
func wrap(path, lines string) []convert.File {
	lines, rest, _ := strings.Cut(lines, "---\n")
	if path == "track_group" && lines == "" {
		return []convert.File{{Name: "keepalived.conf", Text: base}} // the block is a finding by itself
	}
	around := surround(path)
	return []convert.File{{Name: "keepalived.conf", Text: base + around[0] + lines + around[1] + rest}}
}

// surround returns what is around the lines of a block: that of the block outside, where
// blocks has nothing.
func surround(path string) [2]string {
	if around, known := blocks[path]; known {
		return around
	}
	i := strings.LastIndexByte(path, '.')
	around := surround(path[:max(i, 0)])
	return [2]string{around[0] + path[i+1:] + " {\n", "}\n" + around[1]}
}
