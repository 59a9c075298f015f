import type { Model } from '../model/model.ts';
import type { Workload } from '../model/workload.ts';
import { renderAuthorization } from './mesh/authorization.ts';
import { renderDestinationRule } from './mesh/destination-rule.ts';
import { renderIngressRoute } from './mesh/ingress.ts';
import { renderSidecar } from './mesh/sidecar.ts';
import { renderVirtualService } from './mesh/virtual-service.ts';
import type { KubeObject } from './objects.ts';
import { renderAutoscaler } from './workload/autoscaler.ts';
import { renderDeployment } from './workload/deployment.ts';
import { renderDisruptionBudget } from './workload/disruption.ts';
import { renderNetworkPolicy } from './workload/network-policy.ts';
import { renderService, renderServiceAccount } from './workload/service.ts';

/** Returns what runs a workload. */
export function workloadObjects(workload: Workload, model: Model): KubeObject[] {
  return [
    renderServiceAccount(workload, model),
    renderService(workload, model),
    renderDeployment(workload, model),
    renderDisruptionBudget(workload, model),
    renderAutoscaler(workload, model),
    renderNetworkPolicy(workload, model),
  ].filter((object) => object !== undefined);
}

/** Returns what the mesh knows of a workload. */
export function meshObjects(workload: Workload, model: Model): KubeObject[] {
  return [
    renderAuthorization(workload, model),
    renderSidecar(workload, model),
    renderDestinationRule(workload, model),
    renderVirtualService(workload, model),
    workload.isEntry ? renderIngressRoute(model) : undefined,
  ].filter((object) => object !== undefined);
}
