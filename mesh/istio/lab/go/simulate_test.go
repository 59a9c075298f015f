package lab

import (
	"encoding/json"
	"os"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/simulation"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/network"
)

// proxy is a sidecar ("sidecar") or a gateway ("router").
type proxy struct {
	Name, Type, Namespace, Account string
	Cluster, Region, Address       string
	Labels                         map[string]string
}

// call is what a process behind a sidecar sends, with TLS of its own if there is an SNI, or what a gateway gets: from a sidecar, or from a
// client outside of the mesh.
type call struct {
	Proxy, Address, Host, Path, Sni string
	Port                            int
	IsPublic                        bool
}

// outcome is what the configuration of the proxy makes of a call.
type outcome struct {
	call
	Error, Upstream, Route, RetryOn string
	Retries                         uint32
	TimeoutMs, PerTryTimeoutMs      int64
}

// endpoint is a replica, or a gateway on the way to it, as a proxy knows it.
type endpoint struct {
	Proxy, Upstream, Region, Address string
	Priority, Port                   uint32
}

// upstream is how a proxy treats a host and port.
type upstream struct {
	Proxy, Name              string
	RetryBudget              float64
	MaxEjection, MaxRequests uint32
}

type output struct {
	Outcomes  []outcome
	Endpoints []endpoint
	Upstreams []upstream
}

// TestSimulate writes what each proxy does with its calls, and what it knows.
func TestSimulate(t *testing.T) {
	in := readInput(t)
	server := xds.NewFakeDiscoveryServer(t, in.options(t))
	out := output{}
	for _, p := range in.Proxies {
		node := server.SetupProxy(p.node())
		sim := simulation.NewSimulation(t, server, node)
		for _, c := range in.Calls {
			if c.Proxy == p.Name {
				out.Outcomes = append(out.Outcomes, outcomeOf(c, p.Type, sim))
			}
		}
		for _, assignment := range server.Endpoints(node) {
			for _, group := range assignment.Endpoints {
				for _, each := range group.LbEndpoints {
					at := each.GetEndpoint().GetAddress().GetSocketAddress()
					out.Endpoints = append(out.Endpoints, endpoint{
						p.Name, assignment.ClusterName, group.Locality.GetRegion(), at.GetAddress(), group.Priority, at.GetPortValue(),
					})
				}
			}
		}
		for _, c := range server.Clusters(node) {
			known := upstream{Proxy: p.Name, Name: c.Name, MaxEjection: c.GetOutlierDetection().GetMaxEjectionPercent().GetValue()}
			for _, limits := range c.GetCircuitBreakers().GetThresholds() {
				known.RetryBudget = limits.GetRetryBudget().GetBudgetPercent().GetValue()
				known.MaxRequests = limits.GetMaxRequests().GetValue()
			}
			out.Upstreams = append(out.Upstreams, known)
		}
	}
	bytes, err := json.Marshal(out)
	check(t, err)
	check(t, os.WriteFile(os.Getenv("LAB_OUTPUT"), bytes, 0o600))
}

func outcomeOf(c call, proxyType string, sim *simulation.Simulation) outcome {
	sent := simulation.Call{Address: c.Address, Port: c.Port, Protocol: simulation.HTTP2, HostHeader: c.Host, Path: c.Path}
	sent.CallMode, sent.Sni = simulation.CallModeOutbound, c.Sni
	if proxyType == string(model.Router) {
		sent.CallMode, sent.TLS = simulation.CallModeGateway, simulation.MTLS
		if c.IsPublic {
			sent.TLS = simulation.TLS
		}
	} else if c.Sni != "" {
		sent.TLS = simulation.TLS
	}
	result := sim.Run(sent)
	found := outcome{call: c, Upstream: result.ClusterMatched, Route: result.RouteMatched}
	if result.Error != nil {
		found.Error = result.Error.Error()
	}
	action := routeOf(result, sim.Routes)
	found.Retries = action.GetRetryPolicy().GetNumRetries().GetValue()
	found.RetryOn = action.GetRetryPolicy().GetRetryOn()
	found.PerTryTimeoutMs = action.GetRetryPolicy().GetPerTryTimeout().AsDuration().Milliseconds()
	found.TimeoutMs = action.GetTimeout().AsDuration().Milliseconds()
	return found
}

func routeOf(result simulation.Result, configs []*route.RouteConfiguration) *route.RouteAction {
	for _, config := range configs {
		for _, host := range config.VirtualHosts {
			for _, r := range host.Routes {
				if config.Name == result.RouteConfigMatched && host.Name == result.VirtualHostMatched && r.Name == result.RouteMatched {
					return r.GetRoute()
				}
			}
		}
	}
	return nil
}

func (p proxy) node() *model.Proxy {
	return &model.Proxy{
		Type: model.NodeType(p.Type), ID: p.Name + "." + p.Namespace, ConfigNamespace: p.Namespace, IPAddresses: []string{p.Address},
		// Without a locality, the discovery code fails on the failover settings of a proxy that did not connect.
		Locality: &core.Locality{Region: p.Region, Zone: p.Region + "-a"},
		Labels:   p.Labels,
		Metadata: &model.NodeMetadata{
			Namespace: p.Namespace, ClusterID: cluster.ID(p.Cluster), Network: network.ID(p.Cluster), Labels: p.Labels, ServiceAccount: p.Account,
		},
	}
}
