import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../base/metrics.ts';
import { portError } from '../http/server/port-error.ts';
import type { Readiness } from './health.ts';

/** The admin server. */
export interface AdminServer {
  port: number;
  close(): Promise<void>;
}

/**
 * Starts the admin port: `/healthz` (the process lives), `/readyz` (it can serve; else 503 with what is missing), `/metrics`
 * (Prometheus).
 */
export async function startAdmin(
  host: string,
  port: number,
  readiness: Readiness,
  metrics: Metrics,
): Promise<AdminServer> {
  const server = createServer(async (request, response) => {
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        return response.end('ok\n');
      case '/readyz': {
        const missing = [...readiness].flatMap(([name, notReady]) => {
          const reason = notReady();
          return reason === undefined ? [] : [`${name}: ${reason}`];
        });
        response.statusCode = missing.length === 0 ? 200 : 503;
        return response.end(missing.length === 0 ? 'ready\n' : `${missing.join('\n')}\n`);
      }
      case '/metrics':
        response.setHeader('content-type', metrics.registry.contentType);
        return response.end(await metrics.registry.metrics());
      default:
        response.statusCode = 404;
        return response.end('not found: /healthz, /readyz and /metrics are here\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError('admin', host, port, error, 'admin.port')));
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
