import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { portError } from '../http/server/port-error.ts';
import { openMetricsType, toOpenMetrics } from './metrics/open-metrics.ts';
import type { ReadinessReport } from './readiness.ts';

/** The admin server. */
export interface AdminServer {
  port: number;
  close(): Promise<void>;
}

/**
 * Starts the admin port: `/healthz` (the process is alive), `/readyz` (it can serve; otherwise 503 with one line for each service that
 * cannot, its dependencies and their reasons), `/metrics` (in the format of Prometheus, or OpenMetrics if the client accepts it). `reports`: the readiness
 * of each service now. `metrics`: the registry of the metrics.
 */
export async function startAdmin(
  host: string,
  port: number,
  reports: () => readonly ReadinessReport[] | Promise<readonly ReadinessReport[]>,
  metrics: () => Registry | Promise<Registry>,
): Promise<AdminServer> {
  const server = createServer(async (request, response) => {
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        return response.end('ok\n');
      case '/readyz': {
        const { isReady, text } = readinessText(await reports());
        response.statusCode = isReady ? 200 : 503;
        return response.end(text);
      }
      case '/metrics':
        return sendMetrics(await metrics(), request, response);
      default:
        response.statusCode = 404;
        return response.end('not found: try /healthz, /readyz or /metrics\n');
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

async function sendMetrics(registry: Registry, { headers }: IncomingMessage, response: ServerResponse): Promise<void> {
  if (headers.accept?.includes('application/openmetrics-text')) {
    const text = toOpenMetrics(await registry.getMetricsAsJSON());
    response.setHeader('content-type', openMetricsType).end(text);
  } else {
    const text = await registry.metrics();
    response.setHeader('content-type', Registry.PROMETHEUS_CONTENT_TYPE).end(text);
  }
}

function readinessText(reports: readonly ReadinessReport[]): { isReady: boolean; text: string } {
  const missing = reports.flatMap(({ service, notReady }) =>
    notReady === undefined ? [] : [`${service}: ${notReady}`],
  );
  const degraded = reports.flatMap((report) => report.degraded.map((each) => `${report.service}: degraded: ${each}`));
  const isReady = missing.length === 0;
  const lines = [...(isReady ? ['ready'] : []), ...missing, ...degraded];
  return { isReady, text: `${lines.join('\n')}\n` };
}
