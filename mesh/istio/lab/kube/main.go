// Command kube is what the lab needs of a Kubernetes control plane: `kube api …` is the API server with its database in one process, `kube istiod …`
// is Istio's control plane. Further arguments are those of the two.
package main

import (
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
	config := embed.NewConfig()
	config.Dir, config.UnsafeNoFsync, config.LogLevel = os.Getenv("LAB_DATABASE"), true, "error"
	database, err := embed.StartEtcd(config)
	if err != nil {
		panic(err)
	}
	<-database.Server.ReadyNotify()
	os.Exit(cli.Run(api.NewAPIServerCommand()))
}
