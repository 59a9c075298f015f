package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// secretServer gives each proxy what Istio's agent gives it: `default`, the certificate of the account in its metadata, and `ROOTCA`. The
// certificates are files, which the lab replaces.
type secretServer struct {
	secret.UnimplementedSecretDiscoveryServiceServer
	folder  string
	mu      sync.Mutex
	renewed chan struct{}
}

// identity is the content of <namespace>.<account>.json.
type identity struct{ Certificate, Key, Roots string }

// renew makes every proxy get its secrets again.
func (s *secretServer) renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.renewed)
	s.renewed = make(chan struct{})
}

func (s *secretServer) untilRenewed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewed
}

// StreamSecrets serves one proxy, which asks for each secret on a stream of its own.
func (s *secretServer) StreamSecrets(stream secret.SecretDiscoveryService_StreamSecretsServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	go func() { // acknowledgements; a refusal is worth a line
		for request := first; err == nil; request, err = stream.Recv() {
			if request.ErrorDetail != nil {
				fmt.Println("a proxy has refused a secret:", first.Node.GetId(), request.ErrorDetail.Message)
			}
		}
	}()
	for version := 1; ; version++ {
		renewed := s.untilRenewed()
		response := &discovery.DiscoveryResponse{TypeUrl: first.TypeUrl, VersionInfo: fmt.Sprint(version), Nonce: fmt.Sprint(version)}
		for _, name := range first.ResourceNames {
			resource, err := s.secret(name, first.Node)
			if err != nil {
				return err
			}
			response.Resources = append(response.Resources, resource)
		}
		if err := stream.Send(response); err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-renewed:
		}
	}
}

func (s *secretServer) secret(name string, node *core.Node) (*anypb.Any, error) {
	if path, isFile := strings.CutPrefix(name, "file-root:"); isFile { // roots of a rule that names a file, which Envoy reads itself
		roots := &tls.CertificateValidationContext{TrustedCa: &core.DataSource{Specifier: &core.DataSource_Filename{Filename: path}}}
		return anypb.New(&tls.Secret{Name: name, Type: &tls.Secret_ValidationContext{ValidationContext: roots}})
	}
	fields := node.GetMetadata().GetFields()
	file := fields["NAMESPACE"].GetStringValue() + "." + fields["SERVICE_ACCOUNT"].GetStringValue() + ".json"
	bytes, err := os.ReadFile(filepath.Join(s.folder, filepath.Base(file)))
	if err != nil {
		return nil, err
	}
	var of identity
	if err := json.Unmarshal(bytes, &of); err != nil {
		return nil, err
	}
	inline := func(text string) *core.DataSource {
		return &core.DataSource{Specifier: &core.DataSource_InlineString{InlineString: text}}
	}
	if name == "ROOTCA" {
		roots := &tls.CertificateValidationContext{TrustedCa: inline(of.Roots)}
		return anypb.New(&tls.Secret{Name: name, Type: &tls.Secret_ValidationContext{ValidationContext: roots}})
	}
	pair := &tls.TlsCertificate{CertificateChain: inline(of.Certificate), PrivateKey: inline(of.Key)}
	return anypb.New(&tls.Secret{Name: name, Type: &tls.Secret_TlsCertificate{TlsCertificate: pair}})
}
