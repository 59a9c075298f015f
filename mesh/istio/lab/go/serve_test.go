package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"

	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/istio/pilot/pkg/model"
	types "istio.io/istio/pilot/pkg/xds/v3"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/spiffe"
)

// TestServe is the control plane of one cluster: xDS and secrets over TCP, and a socket by which the lab changes endpoints and renews
// secrets. It ends with its process.
func TestServe(t *testing.T) {
	in := readInput(t)
	listener, err := net.Listen("tcp", in.SecretsAddress)
	check(t, err)
	secrets := &secretServer{folder: in.SecretsFolder, renewed: make(chan struct{})}
	server := grpc.NewServer()
	secret.RegisterSecretDiscoveryServiceServer(server, secrets)
	go func() { _ = server.Serve(listener) }()

	options := in.options(t)
	options.ListenerBuilder = func() (net.Listener, error) { return net.Listen("tcp", in.Address) }
	istio := xds.NewFakeDiscoveryServer(t, options)
	istio.Discovery.Generators[types.SecretType] = trusting{istio.Discovery.Generators[types.SecretType]}

	routes := http.NewServeMux()
	routes.HandleFunc("POST /secrets", func(http.ResponseWriter, *http.Request) { secrets.renew() })
	routes.HandleFunc("PUT /endpoints", func(w http.ResponseWriter, r *http.Request) {
		var slice discovery.EndpointSlice
		err := json.NewDecoder(r.Body).Decode(&slice)
		if err == nil {
			client := istio.KubeClient().Kube().DiscoveryV1().EndpointSlices(slice.Namespace)
			_, err = client.Update(context.Background(), &slice, meta.UpdateOptions{})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	routes.Handle("/debug/", istio.DiscoveryDebug)
	_ = os.Remove(in.Control)
	control, err := net.Listen("unix", in.Control)
	check(t, err)
	fmt.Println("the control plane is ready")
	check(t, http.Serve(control, routes))
}

// trusting gives gateways their certificates by what their metadata says: in the lab, proxies reach the control plane without TLS.
type trusting struct{ model.XdsResourceGenerator }

func (g trusting) Generate(p *model.Proxy, w *model.WatchedResource, r *model.PushRequest) (model.Resources, model.XdsLogDetails, error) {
	p.VerifiedIdentity = &spiffe.Identity{Namespace: p.Metadata.Namespace, ServiceAccount: p.Metadata.ServiceAccount}
	return g.XdsResourceGenerator.Generate(p, w, r)
}
