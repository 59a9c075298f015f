import { hostOf } from '../../model/installation.ts';
import { callersOf, type Model } from '../../model/model.ts';
import type { Rpc } from '../../model/rpc.ts';
import type { Workload } from '../../model/workload.ts';
import { durationOf, type KubeObject, metadataOf } from '../objects.ts';

/** Failures before a reply. What a service may have done by then does no harm again: only rpcs that may be repeated are retried. */
const retryOn = 'connect-failure,refused-stream,reset,unavailable';

/**
 * Returns the routes to a workload: one for each rpc that is called, with the retries and the timeout of its contract, and one for all else.
 * Each route says how often it retries: Istio retries twice if a route does not say. A stream has no timeout, because that of a route
 * cuts streams that live; the deadline of the caller still ends it.
 */
export function renderVirtualService(workload: Workload, model: Model): KubeObject | undefined {
  const called = new Map([...callersOf(model, workload.name).values()].flat().map((rpc) => [rpc.path, rpc]));
  if (called.size === 0) return undefined;
  const host = hostOf(workload.name, model.installation);
  const route = [{ destination: { host, port: { number: model.installation.ports.grpc } } }];
  const rpcs = [...called.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: metadataOf(workload, model),
    spec: {
      hosts: [host],
      http: [
        ...rpcs.map((rpc) => ({
          name: rpc.name,
          match: [{ uri: { exact: rpc.path } }],
          route,
          ...timeoutOf(rpc),
          retries: retriesOf(rpc, workload),
        })),
        { name: 'other', route, retries: { attempts: 0 } },
      ],
    },
  };
}

function timeoutOf({ isStream, timeoutMs }: Rpc): { timeout?: string } {
  return isStream || timeoutMs === 0 ? {} : { timeout: durationOf(timeoutMs) };
}

function retriesOf({ retryCount }: Rpc, { failsOver }: Workload): object {
  if (retryCount === 0) return { attempts: 0 };
  return { attempts: retryCount, retryOn, ...(failsOver && { retryRemoteLocalities: true }) };
}
