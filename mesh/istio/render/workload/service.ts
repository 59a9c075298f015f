import type { Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { type KubeObject, metadataOf, selectorOf } from '../objects.ts';

/** Returns the identity of a workload. Its processes do not call the Kubernetes API, so they get no token for it. */
export function renderServiceAccount(workload: Workload, model: Model): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: metadataOf(workload, model),
    automountServiceAccountToken: false,
  };
}

/** Returns the name of a workload in the cluster. Each port names its protocol, so that the mesh never guesses. */
export function renderService(workload: Workload, model: Model): KubeObject {
  const { grpc, edge } = model.installation.ports;
  const ports = [
    ...(workload.rpcs.length > 0 ? [{ name: 'grpc', appProtocol: 'grpc', port: grpc, targetPort: 'grpc' }] : []),
    // HTTP/1.1 and HTTP/2 without TLS on one port: gateways use HTTP/2, which gRPC needs.
    ...(workload.isEntry ? [{ name: 'http2-edge', appProtocol: 'http2', port: edge, targetPort: 'http2-edge' }] : []),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(workload, model),
    spec: { selector: selectorOf(workload), ports },
  };
}
