import { Code } from '@connectrpc/connect';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Counts of the edge, beside those that every process has. */
export interface EdgeMetrics {
  /** A request has ended. `route` is one of few: a path that is served, "console" or "other". */
  request(route: string, status: number, code: Code | 0 | undefined): void;
}

/** Creates the counts in the process's registry. */
export function createEdgeMetrics(registry: Registry, connectionCount: () => number): EdgeMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'ragmesh_edge_requests_total',
    help: 'Requests that ended at the edge, by HTTP status, and by the code of a call: streams say 200 and fail inside',
    labelNames: ['route', 'status', 'code'],
    registers,
  });
  new Gauge({
    name: 'ragmesh_edge_connections',
    help: 'Connections that clients have open',
    registers,
    collect() {
      this.set(connectionCount());
    },
  });
  return {
    request(route, status, code) {
      requests.inc({ route, status, code: code === undefined ? '' : code === 0 ? 'OK' : (Code[code] ?? 'Unknown') });
    },
  };
}
