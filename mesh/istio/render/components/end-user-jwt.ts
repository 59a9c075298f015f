import type { Model } from '../../model/model.ts';
import type { KubeObject } from '../objects.ts';
import type { Component } from './component.ts';

/**
 * Returns the component with which the gateway checks the tokens of an identity provider. A request without such a token passes, because callers
 * may have an API key; the edge decides. The key is then in `x-api-key`: what is in `authorization: Bearer` must be a token, or the gateway refuses
 * it. The issuer is an example: an overlay replaces it.
 */
export function renderEndUserJwt({ installation }: Model): Component {
  const { ingress } = installation.gateways;
  const authentication: KubeObject = {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'end-users', namespace: ingress.namespace },
    spec: {
      selector: { matchLabels: { istio: ingress.name } },
      jwtRules: [
        {
          issuer: 'https://login.example.com/',
          audiences: ['ragmesh'],
          jwksUri: 'https://login.example.com/.well-known/jwks.json',
          forwardOriginalToken: true,
        },
      ],
    },
  };
  return { path: 'end-user-jwt', resources: { 'end-user-jwt.yaml': [authentication] } };
}
