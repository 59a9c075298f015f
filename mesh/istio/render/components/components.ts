import type { Model } from '../../model/model.ts';
import { providers, sourceHosts, toolHosts } from '../../model/regions.ts';
import { renderAmbient } from './ambient.ts';
import { renderCanary } from './canary.ts';
import type { Component } from './component.ts';
import { renderEndUserJwt } from './end-user-jwt.ts';
import { renderGatewayApi } from './gateway-api.ts';
import { renderKeda, renderKedaKafka } from './keda.ts';
import { renderMeshToken } from './mesh-token.ts';
import { renderMonitoring } from './monitoring.ts';
import { renderProvider } from './outside/provider.ts';
import { renderSource } from './outside/source.ts';
import { renderTool } from './outside/tool.ts';
import { renderStoresInCluster } from './stores.ts';
import { renderFurtherStores, renderStoresExternal } from './stores-external.ts';

/** Returns every opt-in part for a topology. */
export function renderComponents(model: Model): Component[] {
  // The calls to a workload that clients reach are not shares of one route.
  const canaries = model.workloads.filter(({ hasCanary, isEntry }) => hasCanary && !isEntry);
  return [
    renderAmbient(model),
    ...canaries.map((workload) => renderCanary(workload, model)),
    renderEndUserJwt(model),
    renderGatewayApi(model),
    renderKeda(model),
    renderKedaKafka(model),
    renderMeshToken(model),
    renderMonitoring(model),
    ...providers.map((provider) => renderProvider(provider, model)),
    ...sourceHosts.map((source) => renderSource(source, model)),
    renderStoresExternal(model),
    ...renderFurtherStores(model),
    renderStoresInCluster(model),
    ...toolHosts.map((tool) => renderTool(tool, model)),
  ];
}
