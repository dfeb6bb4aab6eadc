package metrics

import (
	"slices"

	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

type service = lvs.ServiceStatus

// A server is a server of a service.
type server struct {
	service string
	*lvs.ServerStatus
}

var lvsMetrics = table[status.LVS]{columns: []column[status.LVS]{
	boolean("holdfast_ipvs_error", "1 while the IPVS table cannot be read or written.", func(l *status.LVS) bool { return l.Error != "" }),
	gauge("holdfast_ipvs_foreign_services", "Virtual services in the kernel that other programs have made.", func(l *status.LVS) (n float64) {
		for i := range l.Services {
			n += number(l.Services[i].Foreign)
		}
		return n
	}),
	gauges("holdfast_ipvs_sync_daemon", "1 while the sync daemon of the role runs. Only with synchronisation.", []string{"role"},
		func(l *status.LVS, add func(float64, ...string)) {
			if l.Sync != nil {
				for _, role := range []string{"backup", "master"} {
					add(number(slices.Contains(l.Sync.Roles, role)), role)
				}
			}
		}),
	some("holdfast_ipvs_sync_error", "1 while the sync daemons are not as they should be. Only with synchronisation.", func(l *status.LVS) (float64, bool) {
		return number(l.Sync != nil && l.Sync.Error != ""), l.Sync != nil
	}),
}}

var serviceMetrics = table[service]{
	common: []string{"service"},
	columns: []column[service]{
		info("holdfast_service_info", "What the virtual service is. Always 1.", []string{"address", "scheduler", "active"},
			func(s *service) []string { return []string{s.Service, s.Scheduler, s.Active} }),
		some("holdfast_service_up", "1 if the weights of the servers that are up reach the quorum. No sample before the first verdict.",
			func(s *service) (float64, bool) { return verdict(s.Health) }),
		boolean("holdfast_service_wanted", "1 while the service should be in the kernel.", func(s *service) bool { return s.Wanted }),
		boolean("holdfast_service_present", "1 while the service is in the kernel.", func(s *service) bool { return s.Present }),
		boolean("holdfast_service_on_fallback", "1 while the fallback server gets the traffic.", func(s *service) bool { return s.OnFallback }),
		gauge("holdfast_service_servers", "Configured servers.", func(s *service) float64 { return float64(s.ServersTotal) }),
		gauge("holdfast_service_servers_up", "Servers that are up.", func(s *service) float64 { return float64(s.ServersUp) }),
		gauge("holdfast_service_weight_up", "Sum of the weights of the servers that are up.", func(s *service) float64 { return float64(s.WeightUp) }),
		gauge("holdfast_service_quorum", "Weight that the servers that are up need for the service to be up.",
			func(s *service) float64 { return float64(s.Quorum) }),
		counter("holdfast_service_connections_total", "Connections since the service was added to the kernel.",
			func(s *service) uint64 { return s.Counters.Connections }),
		counter("holdfast_service_packets_in_total", "Packets from clients.", func(s *service) uint64 { return s.Counters.PacketsIn }),
		counter("holdfast_service_packets_out_total", "Packets to clients. IPVS sees them with NAT only.",
			func(s *service) uint64 { return s.Counters.PacketsOut }),
		counter("holdfast_service_bytes_in_total", "Bytes from clients.", func(s *service) uint64 { return s.Counters.BytesIn }),
		counter("holdfast_service_bytes_out_total", "Bytes to clients. IPVS sees them with NAT only.",
			func(s *service) uint64 { return s.Counters.BytesOut }),
	},
}

var serverMetrics = table[server]{
	common: []string{"service", "server"},
	columns: []column[server]{
		info("holdfast_server_info", "What the server is. Always 1.", []string{"address", "forward"},
			func(s *server) []string { return []string{s.Address, s.Forward} }),
		some("holdfast_server_up", "1 if the checks say that the server is well. No sample before the first verdict.",
			func(s *server) (float64, bool) { return verdict(s.Health) }),
		boolean("holdfast_server_drained", "1 while an operator or a maintenance file drains the server.", func(s *server) bool { return s.Drained }),
		gauge("holdfast_server_weight", "Weight in the kernel; 0 if the server is not there.", func(s *server) float64 { return float64(s.Weight) }),
		gauge("holdfast_server_configured_weight", "Weight in the configuration.", func(s *server) float64 { return float64(s.Configured) }),
		gauge("holdfast_server_active_connections", "Established connections.", func(s *server) float64 { return float64(s.Active) }),
		gauge("holdfast_server_inactive_connections", "Connections in every other state.", func(s *server) float64 { return float64(s.Inactive) }),
		gauge("holdfast_server_persistent_connections", "Clients that persistence keeps on the server.", func(s *server) float64 { return float64(s.Persistent) }),
		counter("holdfast_server_connections_total", "Connections since the server was added to the kernel.",
			func(s *server) uint64 { return s.Counters.Connections }),
		counter("holdfast_server_packets_in_total", "Packets to the server.", func(s *server) uint64 { return s.Counters.PacketsIn }),
		counter("holdfast_server_packets_out_total", "Packets from the server. IPVS sees them with NAT only.",
			func(s *server) uint64 { return s.Counters.PacketsOut }),
		counter("holdfast_server_bytes_in_total", "Bytes to the server.", func(s *server) uint64 { return s.Counters.BytesIn }),
		counter("holdfast_server_bytes_out_total", "Bytes from the server. IPVS sees them with NAT only.",
			func(s *server) uint64 { return s.Counters.BytesOut }),
	},
}

// verdict returns 1 for up, 0 for down, and false for neither.
func verdict(health string) (float64, bool) {
	return number(health == lvs.Up.String()), health == lvs.Up.String() || health == lvs.Down.String()
}

func serviceLabels(s *service) []string { return []string{s.Name} }
func serverLabels(s *server) []string   { return []string{s.service, s.Name} }

// ours returns the services of the configuration. Services of other programs have no
// metrics of their own: they may be any number.
func ours(all []service) []service {
	return slices.DeleteFunc(slices.Clone(all), func(s service) bool { return s.Foreign })
}

// servers returns the servers of services. Of several fallback servers, which have one
// name, it returns the first.
func servers(of []service) []server {
	n := 0
	for i := range of {
		n += len(of[i].Servers)
	}
	all := make([]server, 0, n)
	for i := range of {
		fallback := false
		for j := range of[i].Servers {
			s := &of[i].Servers[j]
			if !s.Fallback || !fallback {
				all = append(all, server{of[i].Name, s})
			}
			fallback = fallback || s.Fallback
		}
	}
	return all
}
