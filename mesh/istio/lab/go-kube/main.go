// Command kube is what the lab needs of a Kubernetes control plane: `kube api …` is the API server with its database in one process, `kube istiod …`
// is Istio's control plane. Further arguments are those of the two.
package main

import (
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	"istio.io/istio/pilot/cmd/pilot-discovery/app"
	"k8s.io/component-base/cli"
	api "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	role := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	if role == "istiod" {
		if app.NewRootCommand().Execute() != nil {
			os.Exit(1)
		}
		return
	}
	startDatabase(os.Getenv("LAB_DATABASE"), os.Getenv("LAB_DATABASE_ADDRESS"))
	os.Exit(cli.Run(api.NewAPIServerCommand()))
}

// startDatabase starts etcd in this process. Nothing in it outlives the lab, so nothing is synchronised with the disk.
func startDatabase(folder, address string) {
	clients, peers := []url.URL{{Scheme: "http", Host: address}}, []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config := embed.NewConfig()
	config.Dir, config.UnsafeNoFsync, config.LogLevel = folder, true, "error"
	config.ListenClientUrls, config.AdvertiseClientUrls = clients, clients
	config.ListenPeerUrls, config.AdvertisePeerUrls = peers, peers
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	database, err := embed.StartEtcd(config)
	if err != nil {
		panic(err)
	}
	<-database.Server.ReadyNotify()
}
