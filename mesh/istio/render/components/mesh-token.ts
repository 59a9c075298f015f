import type { Model } from '../../model/model.ts';
import { type KubeObject, meshTokenLabel } from '../objects.ts';
import type { Component } from './component.ts';

/** The public part of a key whose private part was never kept: with it, every token is refused. An installation replaces it by the output of `npm run token -- --jwks`. */
const noKey =
  '{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"none","x":"SRfu0rORDMViQADG2cRpWqqGjPs6zahfcjQ_OROv5uQ"}]}';

/** Returns the object by which sidecars know the tokens of the mesh. The edge is exempt: its callers have credentials of other kinds. */
export function renderTokenCheck({ installation: { namespace } }: Model): KubeObject {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'mesh-token', namespace },
    spec: {
      selector: { matchLabels: meshTokenLabel },
      jwtRules: [{ issuer: 'ragmesh', audiences: ['ragmesh-mesh'], jwks: noKey, forwardOriginalToken: true }],
    },
  };
}

/**
 * Returns the component with which sidecars check the token of the mesh before a process sees the call: a second lock, and the base of policies by
 * tenant.
 */
export function renderMeshToken(model: Model): Component {
  const { namespace, ports } = model.installation;
  const required: KubeObject = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'mesh-token-required', namespace },
    spec: {
      selector: { matchLabels: meshTokenLabel },
      action: 'DENY',
      rules: [
        {
          from: [{ source: { notRequestPrincipals: ['ragmesh/*'] } }],
          to: [{ operation: { ports: [String(ports.grpc)] } }],
        },
      ],
    },
  };
  return { path: 'mesh-token', resources: { 'mesh-token.yaml': [renderTokenCheck(model), required] } };
}
