package servers_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// nginxHTTP is a web server that says how it was asked, on a port for each way.
const nginxHTTP = `
user nobody nogroup;
daemon off;
pid /run/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
	access_log off;
	log_format asked "asked $uri.";
	log_format kept "requests $connection_requests of $scheme";
	client_body_temp_path /tmp/body;
	proxy_temp_path /tmp/proxy;
	fastcgi_temp_path /tmp/fastcgi;
	uwsgi_temp_path /tmp/uwsgi;
	scgi_temp_path /tmp/scgi;
	root /srv;
	default_type text/plain;
	server {
		listen ADDRESS:80 default_server;
		listen [ADDRESS6]:80 default_server;
		add_header X-Requests $connection_requests;
		location = / { return 200 "$server_protocol $request_method $host by default"; }
		location = /agent { return 200 "$http_user_agent and $http_x_probe"; }
		location = /old { return 503; }
		location = /none { return 204; }
		location = /json { default_type application/json; return 200 '{"status": {"up": true, "weight": "50%"}}'; }
		location = /moved { return 301 /json; }
		location = /away { return 302 http://www.example.net/; }
		location = /loop { return 302 /loop; }
		location = /lines { }
		location = /kept { access_log /dev/stderr kept; return 204; }
		location = /who { return 200 "$remote_addr to $server_addr"; }
		location = /weight { add_header X-Weight 7; default_type application/json; return 200 '{"load": {"weight": "50%"}}'; }
		location /asked/ { access_log /dev/stderr asked; return 503; }
		location = /flag { access_log /dev/stderr asked; }
		location /well/ { access_log /dev/stderr asked; return 204; }
		location = /hook { access_log /dev/stderr asked; return 204; }
		location /secret/ { auth_basic "staff"; auth_basic_user_file /etc/nginx/users; }
	}
	server {
		listen ADDRESS:80;
		server_name www.example.com;
		return 200 "the site $host";
	}
	server {
		listen ADDRESS:81 http2;
		return 200 "$server_protocol";
	}
	ssl_certificate ` + certFile + `;
	ssl_certificate_key ` + keyFile + `;
	server {
		listen ADDRESS:443 ssl http2;
		location = /kept { access_log /dev/stderr kept; return 204; }
		location / { return 200 "$server_protocol $ssl_protocol SNI $ssl_server_name Host $host"; }
	}
	server {
		listen ADDRESS:444 ssl;
		ssl_client_certificate ` + certFile + `;
		ssl_verify_client on;
		return 200 "client $ssl_client_verify";
	}
}
`

// nginx starts the web server. It returns the lines of a check that trusts its
// certificate.
func (m *machine) nginx() (tls string) {
	m.t.Helper()
	tls = m.installNginx()
	m.script("exec " + startNginx)
	m.listens(80, 81, 443, 444)
	return tls
}

const startNginx = "nginx -c /etc/nginx/nginx.conf"

// installNginx writes its configuration and its pages.
func (m *machine) installNginx() (tls string) {
	m.t.Helper()
	tls = m.certify()
	m.file("/etc/nginx/nginx.conf", nginxHTTP, 0o644)
	m.file("/etc/nginx/users", "ann:{PLAIN}right\n", 0o644)
	m.file("/srv/secret/index.html", "the vault", 0o644)
	m.file("/srv/flag", "", 0o644)
	m.file("/srv/lines", strings.Repeat("0123456789abcdef\n", 20_000)+"the end\n", 0o644)
	for _, folder := range []string{"/var/log/nginx", "/var/lib/nginx"} {
		m.file(folder+"/there", "", 0o644)
	}
	return tls
}

// Requests and answers of HTTP/1 and of HTTP/2 without TLS.
func TestNginx(t *testing.T) {
	m := newMachine(t)
	m.nginx()
	const http, twice = "type = \"http\"\n", "\n[[service.check.request]]\npath = \"/\"\n[[service.check.request]]\n"
	ann := http + "path = \"/secret/\"\nuser = \"ann\"\n"
	m.besideLdirectord(
		old{name: "a page", port: 80, lines: "service=http\nrequest=\"/json\"\nreceive=\"up\"\n", well: true},
		old{name: "another page", port: 80, lines: "service=http\nrequest=\"/json\"\nreceive=\"no such text\"\n"},
		old{name: "a status", port: 80, lines: "service=http\nrequest=\"/old\"\n"},
		old{name: "a host", port: 80, lines: "service=http\nvirtualhost=\"www.example.com\"\nreceive=\"the site www.example.com\"\n", well: true},
		old{name: "a method", port: 80, lines: "service=http\nhttpmethod=HEAD\n", well: true},
		old{name: "a redirect", port: 80, lines: "service=http\nrequest=\"/moved\"\nreceive=\"weight\"\n", well: true},
		old{name: "connect", port: 80, lines: "checktype=connect\n", well: true},
		old{name: "connect to nobody", port: 79, lines: "checktype=connect\n"},
		old{name: "simpletcp", port: 80, lines: "service=simpletcp\nrequest=\"GET /json HTTP/1.0\\n\\n\"\nreceive=\"up\"\n", well: true},
	)
	m.prove(80,
		check{name: "HTTP/1.1", keys: http + "body = '^HTTP/1\\.1 GET '\n"},
		check{name: "HTTP/1.0", keys: http + "http_version = \"1.0\"\nbody = '^HTTP/1\\.0 GET '\n"},
		check{name: "HTTP/2 without TLS", keys: http + "port = 81\nhttp_version = \"2\"\nbody = '^HTTP/2\\.0$'\n"},
		check{name: "IPv6", keys: http, v6: true},
		check{name: "a host", keys: http + "host = \"www.example.com\"\nbody = '^the site www\\.example\\.com$'\n"},
		check{name: "another host", keys: http + "host = \"www.example.org\"\nbody = 'the site'\n",
			reason: `body "HTTP/1.1 GET www.example.org by default...does not match "the site"`},
		check{name: "headers of the request", keys: http + "path = \"/agent\"\nheaders = { X-Probe = \"lvs1\" }\nbody = '^holdfast and lvs1$'\n"},
		check{name: "a method", keys: http + "method = \"HEAD\"\n"},
		check{name: "a body that is sent", keys: http + "method = \"POST\"\nsend = \"x=1\"\nbody = ' POST '\n"},
		check{name: "a status", keys: http + "path = \"/old\"\n", reason: "HTTP 503 ..."},
		check{name: "a status that is wanted", keys: http + "path = \"/old\"\nstatus = [\"500-599\"]\n"},
		check{name: "204", keys: http + "path = \"/none\"\n"},
		check{name: "a header of the answer", keys: http + "expect_headers = { Server = '^nginx/', X-Requests = '^1$' }\n"},
		check{name: "another header", keys: http + "expect_headers = { Server = '^Apache' }\n", reason: "header Server...nginx/...does not match..."},
		check{name: "the end of a long body", keys: http + "path = \"/lines\"\nbody = '(?m)^the end$'\n"},
		check{name: "a body that must not be", keys: http + "path = \"/lines\"\nbody_not = 'the end'\n", reason: "body...matches \"the end\"..."},
		check{name: "a long body within its bound", keys: http + "path = \"/lines\"\nmax_body = 1000\nbody = 'the end'\n", reason: "body...does not match...1000..."},
		check{name: "JSON", keys: http + "path = \"/json\"\njson = { \"status.up\" = '^true$' }\n"},
		check{name: "other JSON", keys: http + "path = \"/json\"\njson = { \"status.up\" = '^false$' }\n", reason: `JSON value status.up is "true", which does not match "^false$"`},
		check{name: "a digest", keys: http + "path = \"/json\"\ndigest = \"6272ca8f7d815cb0430026577ff36415\"\n"},
		check{name: "another digest", keys: http + "path = \"/json\"\ndigest = \"d41d8cd98f00b204e9800998ecf8427e\"\n", reason: "the digest of the body is 6272ca8f7d815cb0430026577ff36415, want d41d8cd98f00b204e9800998ecf8427e"},
		check{name: "a source", keys: http + "path = \"/who\"\nsource = \"ADDRESS\"\nbody = '^ADDRESS to ADDRESS$'\n"},
		check{name: "another address", keys: http + "path = \"/who\"\naddress = \"ADDRESS6\"\nbody = ' to ADDRESS6$'\n"},
		check{name: "a device", keys: http + "device = \"lo\"\n"},
		check{name: "a mark without a rule", keys: http + "mark = 8\n"},
		check{name: "a redirect", keys: http + "path = \"/moved\"\nredirects = 1\njson = { \"status.weight\" = '^50%$' }\n"},
		check{name: "a redirect that is not followed", keys: http + "path = \"/moved\"\n", reason: "HTTP 301 Moved Permanently to ..."},
		check{name: "a redirect to another host", keys: http + "path = \"/away\"\nredirects = 3\nstatus = [302]\n"},
		check{name: "a redirect to itself", keys: http + "path = \"/loop\"\nredirects = 3\n", reason: "HTTP 302 Found to ...(after 3 redirects)"},
		check{name: "several requests", keys: http + twice + "path = \"/none\"\nstatus = [204]\n"},
		check{name: "the second of several requests", keys: http + twice + "path = \"/old\"\n", reason: "request 2 (/old): HTTP 503 ..."},
		check{name: "a login", keys: ann + "body = '^the vault$'\n" + m.password("right")},
		check{name: "a wrong password", keys: ann + m.password("wrong"), reason: "HTTP 401 ..."},
		check{name: "nobody", keys: http + "path = \"/secret/\"\n", reason: "HTTP 401 ..."},
		check{name: "a digest that the server does not ask for", keys: ann + "auth = \"digest\"\n" + m.password("right"), reason: "login: the server does not ask for a digest..."},
	)
}

// What this host cannot send is a result of its own.
func TestNginxUnsent(t *testing.T) {
	m := newMachine(t)
	m.nginx()
	const http = "type = \"http\"\n"
	checks := []check{
		{name: "a source that is not here", keys: http + "source = \"198.51.100.1\"\n", reason: "not sent: bind to source 198.51.100.1: ..."},
		{name: "a device that is not here", keys: http + "device = \"eth7\"\n", reason: "not sent: ...no such device"},
		{name: "a mark that a rule forbids", keys: http + "mark = 7\n", reason: "not sent: connect: network is unreachable"},
	}
	m.all(m.checker(80, checks, onDemand), "the server runs", checks, 2, func(c check) string { return c.reason })
}

// HTTPS of both versions: names, versions, certificates of the server and the client.
func TestNginxTLS(t *testing.T) {
	m := newMachine(t)
	tls := m.nginx()
	const https = "type = \"https\"\n"
	ca := filepath.Join(m.dir, "ca.pem")
	client := fmt.Sprintf("port = 444\ntls = { ca = %q, server_name = %q, cert = %q, key = %q }\n", ca, serverName,
		filepath.Join(m.dir, "files", certFile), filepath.Join(m.dir, "files", keyFile))
	m.prove(443,
		check{name: "HTTP/1.1", keys: https + tls + "body = '^HTTP/1\\.1 TLSv1\\.[23] '\n"},
		check{name: "HTTP/2", keys: https + tls + "http_version = \"2\"\nbody = '^HTTP/2\\.0 '\n"},
		check{name: "HTTP/2 that the server does not speak", keys: https + client + "http_version = \"2\"\n", reason: "TLS: ...no application protocol"},
		check{name: "SNI apart from Host", keys: https + tls + "host = \"www.example.com\"\nbody = 'SNI " + serverName + " Host www\\.example\\.com'\n"},
		check{name: "another CA", keys: https + otherCA, reason: "TLS: certificate signed by unknown authority"},
		check{name: "another name", keys: https + fmt.Sprintf("tls = { ca = %q, server_name = \"www.example.com\" }\n", ca), reason: "TLS: ...www.example.com..."},
		check{name: "any certificate", keys: https + "tls = { verify = false }\n"},
		check{name: "a client certificate", keys: https + client + "body = '^client SUCCESS$'\n"},
		check{name: "no client certificate", keys: https + tls + "port = 444\n", reason: "HTTP 400 ..."},
	)
}

// With reuse, attempts go over one connection, over TLS too.
func TestNginxReuse(t *testing.T) {
	m := newMachine(t)
	tls := m.nginx()
	const kept = "path = \"/kept\"\nreuse = true\n"
	for port, keys := range map[uint16]string{80: "type = \"http\"\n" + kept, 443: "type = \"https\"\n" + kept + tls} {
		set := m.checker(port, []check{{keys: keys}}, onDemand)
		for range 4 {
			m.await(set, serviceName(0), "a kept connection", "")
		}
	}
	for _, want := range []string{"requests 4 of http\n", "requests 4 of https\n"} {
		lab.Wait(t, 10*time.Second, want, func() (string, bool) { return m.log(), strings.Contains(m.log(), want) })
	}
}

// A certificate that ends soon is a warning, and the server is up.
func TestNginxCertificateWarning(t *testing.T) {
	m := newMachine(t)
	soon := strings.Replace(m.nginx(), " }", ", certificate_warning = \"14d\" }", 1)
	checks := []check{{name: "a certificate that ends soon", keys: "type = \"https\"\n" + soon}}
	set := m.checker(443, checks, onDemand)
	m.await(set, serviceName(0), checks[0].name, "")
	warnings := set.Warnings()
	if len(warnings) != 1 || !like("the certificate of "+serverName+" expires on ...", warnings[0].Text) {
		t.Errorf("warnings: %v", warnings)
	}
}
