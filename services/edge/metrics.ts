import { Counter, Gauge, type Registry } from 'prom-client';

/** Counts of the edge, beside those that every process has. */
export interface EdgeMetrics {
  /** A request has ended. `route` is one of few: a path that is served, "console" or "other". */
  request(route: string, status: number): void;
}

/** Creates the counts in the process's registry. */
export function createEdgeMetrics(registry: Registry, connectionCount: () => number): EdgeMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'ragmesh_edge_requests_total',
    help: 'Requests that ended at the edge, by HTTP status; rpcs that stream say 200 and fail inside',
    labelNames: ['route', 'status'],
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
    request: (route, status) => requests.inc({ route, status }),
  };
}
