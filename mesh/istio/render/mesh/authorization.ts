import { gatewayPrincipalOf, principalOf } from '../../model/installation.ts';
import { callersOf, type Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { type KubeObject, metadataOf, selectorOf } from '../objects.ts';

/**
 * Returns who may call a workload: each caller by its identity, on one port, with exactly the rpcs of the matrix. Everything else is
 * refused by the policy of the namespace that allows nothing.
 */
export function renderAuthorization(workload: Workload, model: Model): KubeObject {
  const { installation } = model;
  const { ports, gateways } = installation;
  const rules = [...callersOf(model, workload.name)].map(([caller, rpcs]) => ({
    from: [{ source: { principals: [principalOf(caller, installation)] } }],
    to: [{ operation: { ports: [String(ports.grpc)], methods: ['POST'], paths: rpcs.map(({ path }) => path).sort() } }],
  }));
  const entry = {
    from: [{ source: { principals: [gatewayPrincipalOf(gateways.ingress, installation)] } }],
    to: [{ operation: { ports: [String(ports.edge)] } }],
  };
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: metadataOf(workload, model),
    spec: {
      selector: { matchLabels: selectorOf(workload) },
      action: 'ALLOW',
      rules: workload.isEntry ? [entry, ...rules] : rules,
    },
  };
}
