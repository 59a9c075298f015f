// Package lab runs Istio's own discovery code over rendered manifests, without Kubernetes: TestKustomize reads them, TestSimulate reports how
// calls are routed, TestServe serves real proxies. They are tests because Istio's simulation needs a *testing.T; TypeScript writes their input
// and reads their output.
package lab

import (
	"encoding/json"
	"os"
	"testing"

	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
)

// input is what the control plane of one cluster knows: the objects of Kubernetes of each cluster, and its own objects of Istio, as YAML.
type input struct {
	Cluster           string
	Kubernetes        map[string]string
	Istio, MeshConfig string
	Proxies           []proxy
	Calls             []call
	Address, Control  string
	SecretsAddress    string
	SecretsFolder     string
}

func readInput(t *testing.T) (in input) {
	file := os.Getenv("LAB_INPUT")
	if file == "" {
		t.Skip("LAB_INPUT names no file: run `npm run mesh:sim` or `npm run mesh:lab`")
	}
	bytes, err := os.ReadFile(file)
	check(t, err)
	check(t, json.Unmarshal(bytes, &in))
	return in
}

// options returns the options of Istio's discovery server. A manifest that Istio does not accept is a fatal error at its start.
func (in input) options(t *testing.T) xds.FakeOptions {
	config, err := mesh.ApplyMeshConfig(in.MeshConfig, mesh.DefaultMeshConfig())
	check(t, err)
	kubernetes := map[cluster.ID]string{}
	for name, yaml := range in.Kubernetes {
		kubernetes[cluster.ID(name)] = yaml
	}
	return xds.FakeOptions{
		DefaultClusterName:              cluster.ID(in.Cluster),
		KubernetesObjectStringByCluster: kubernetes,
		ConfigString:                    in.Istio,
		MeshConfig:                      config,
		NetworksWatcher:                 meshwatcher.NewFixedNetworksWatcher(nil),
		DisableSecretAuthorization:      true,
	}
}

func check(t *testing.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}
