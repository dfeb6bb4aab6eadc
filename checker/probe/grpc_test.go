package probe

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// grpcServer starts a server of grpc-go with a health service that knows three
// services and says that the server is well.
func grpcServer(t *testing.T, options ...grpc.ServerOption) Target {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	s := grpc.NewServer(options...)
	states := health.NewServer()
	for service, state := range map[string]grpc_health_v1.HealthCheckResponse_ServingStatus{
		"":            grpc_health_v1.HealthCheckResponse_SERVING,
		"shop.Orders": grpc_health_v1.HealthCheckResponse_SERVING,
		"shop.Bills":  grpc_health_v1.HealthCheckResponse_NOT_SERVING,
		"shop.New":    grpc_health_v1.HealthCheckResponse_UNKNOWN,
	} {
		states.SetServingStatus(service, state)
	}
	grpc_health_v1.RegisterHealthServer(s, states)
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return at(l.Addr())
}

func TestGRPC(t *testing.T) {
	to := grpcServer(t)
	for service, want := range map[string]string{
		"":            "",
		"shop.Orders": "",
		"shop.Bills":  `the service "shop.Bills" is NOT_SERVING, want SERVING`,
		"shop.New":    `the service "shop.New" is UNKNOWN, want SERVING`,
		"shop.Other":  `the server does not know the service "shop.Other"`,
	} {
		t.Run("service "+service, func(t *testing.T) { wantReason(t, ask(t, GRPC{Service: service}, to), want) })
	}
	t.Run("nobody listens", func(t *testing.T) {
		wantReason(t, ask(t, GRPC{}, at(closedPort(t))), "connect: connection refused")
	})
	t.Run("hung", func(t *testing.T) {
		to := at(listen(t, "127.0.0.1:0").Addr())
		to.Timeout = hung
		wantReason(t, ask(t, GRPC{}, to), "request: timeout after 500ms")
	})
	t.Run("no health service", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		s := grpc.NewServer()
		go func() { _ = s.Serve(l) }()
		defer s.Stop()
		wantReason(t, ask(t, GRPC{}, at(l.Addr())), "the server has no health service (grpc.health.v1.Health)")
	})
	t.Run("HTTP/1.1", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		serve(t, l, func(http.ResponseWriter, *http.Request) {})
		// It depends on what comes first: its error message, our request, or the end.
		switch got := ask(t, GRPC{}, at(l.Addr())); got {
		case "request: the server does not speak HTTP/2", "request: the server ended the connection before it spoke HTTP/2", "request: connection reset by peer":
		default:
			t.Errorf("reason %q", got)
		}
	})
}

func TestGRPCOverTLS(t *testing.T) {
	ca := newCA(t)
	to := grpcServer(t, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", 24*time.Hour)}})))
	secure := DefaultTLS()
	secure.CA = ca.pem()
	wantReason(t, ask(t, GRPC{TLS: secure}, to), "")
	wantReason(t, ask(t, GRPC{TLS: DefaultTLS()}, to), "TLS: certificate signed by unknown authority")
}
