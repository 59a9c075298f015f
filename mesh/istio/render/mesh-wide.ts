import type { Installation } from '../model/installation.ts';
import type { KubeObject } from './objects.ts';

/** Returns the policies that hold for every workload: identities are required, and nothing is allowed that no other policy allows. */
export function renderMeshWide({ namespace, rootNamespace }: Installation): KubeObject[] {
  return [
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: rootNamespace },
      spec: { mtls: { mode: 'STRICT' } },
    },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'allow-nothing', namespace },
      spec: {},
    },
  ];
}
