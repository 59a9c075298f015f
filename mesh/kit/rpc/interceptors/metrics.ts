import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { Code, type ConnectError } from '@connectrpc/connect';
import { Gauge } from 'prom-client';
import { toRpcError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { infrastructureCodes, type Metrics } from '../../base/metrics/metrics.ts';
import type { Observer } from './observe.ts';

/** Counts each call with its code, and how long it took. */
export function metricsObserver(metrics: Metrics): Observer {
  return ({ method }) => {
    const startedAt = performance.now();
    return (thrown) => {
      const code = thrown === undefined ? 'OK' : (Code[toRpcError(thrown).code] ?? 'Unknown');
      metrics.rpcTotal.inc({ service: method.parent.typeName, method: method.name, code });
      metrics.rpcMs.observe({ service: method.parent.typeName }, performance.now() - startedAt);
    };
  };
}

/** Gives the counts of a contract their first samples: without one, the first failure of a method would be no increase. */
export function beginCounts(metrics: Metrics, { typeName: service, methods }: DescService): void {
  metrics.rpcMs.zero({ service });
  for (const { name: method } of methods) {
    for (const code of ['OK', ...infrastructureCodes]) metrics.rpcTotal.inc({ service, method, code }, 0);
  }
}

/** Counts each call to another process when it ends: what its server cannot count, a connection that broke among them. */
export function clientObserver(metrics: Metrics): (method: DescMethod, error: ConnectError | undefined) => void {
  return ({ parent, name: method }, error) => {
    const code = error === undefined ? 'OK' : (Code[error.code] ?? 'Unknown');
    metrics.clientTotal.inc({ service: parent.typeName, method, code });
  };
}

/** Logs, and shows as a gauge, that calls to another process end immediately because it does not reply. */
export function breakerObserver({ registry }: Metrics, log: Logger): (service: string, isOpen: boolean) => void {
  const gauge = new Gauge({
    name: 'ragmesh_rpc_breaker_open',
    help: 'Connections to a service of another process on which calls end immediately because it does not reply',
    labelNames: ['service'],
    aggregator: 'sum',
    registers: [registry],
  });
  return (service, isOpen) => {
    gauge.inc({ service }, isOpen ? 1 : -1);
    log[isOpen ? 'warn' : 'info'](
      { event: isOpen ? 'service_silent' : 'service_replies', to: service },
      isOpen ? 'service does not reply' : 'service replies again',
    );
  };
}
