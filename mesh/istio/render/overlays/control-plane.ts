import type { JsonObject } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import type { Model } from '../../model/model.ts';
import { type Region, regionalHosts } from '../../model/regions.ts';
import { durationOf, header } from '../objects.ts';

/**
 * Returns the configuration of the mesh: calls leave only to known hosts, what a region holds is not served to another one, and a pod starts its
 * process once its sidecar can carry its calls.
 */
export function meshConfigOf(model: Model): JsonObject {
  const { monitoringNamespace, trustDomain } = model.installation;
  return {
    trustDomain,
    enableAutoMtls: true,
    outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
    accessLogFile: '/dev/stdout',
    accessLogEncoding: 'JSON',
    pathNormalization: { normalization: 'DECODE_AND_MERGE_SLASHES' },
    // Only routes that say so repeat calls: without this, Istio retries twice if a route is silent, as those of the Gateway API are.
    defaultHttpRetryPolicy: { attempts: 0 },
    defaultConfig: { holdApplicationUntilProxyStarts: true, drainDuration: durationOf(45_000) },
    extensionProviders: [
      {
        name: 'otel',
        opentelemetry: { service: `otel-collector.${monitoringNamespace}.svc.cluster.local`, port: 4317 },
      },
    ],
    serviceSettings: [{ settings: { clusterLocal: true }, hosts: regionalHosts(model) }],
  };
}

/** Returns values for Istio's Helm chart `istiod`, of one cluster or of a region. */
export function renderIstiodValues(model: Model, region?: Region): string {
  const values = {
    ...(region && {
      global: { meshID: 'ragmesh', multiCluster: { clusterName: region.name }, network: region.name },
    }),
    meshConfig: meshConfigOf(model),
    pilot: {
      autoscaleMin: 2,
      pdb: { maxUnavailable: 1 },
      // Pods may not change packet rules in a restricted namespace: Istio's CNI plugin does it for them.
      cni: { enabled: true },
      env: { ENABLE_NATIVE_SIDECARS: 'true' },
    },
  };
  return `${header}${stringify(values, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}
