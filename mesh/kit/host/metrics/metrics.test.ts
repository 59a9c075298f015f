import { expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { createMetrics } from '../../base/metrics/metrics.ts';
import { createClient } from '../../rpc/client.ts';
import { createGrpcTransport } from '../../rpc/grpc/client.ts';
import { clientObserver } from '../../rpc/interceptors/metrics.ts';
import { createSlowEcho, echo } from '../../testing/echo.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';
import { defineService } from '../define-service.ts';
import { openMetricsType } from './open-metrics.ts';

const contract = EchoService.typeName;

async function scrape({ host }: TestMesh, accept = 'text/plain'): Promise<{ type: string | null; lines: string[] }> {
  const response = await fetch(`http://127.0.0.1:${host.adminPort}/metrics`, { headers: { accept } });
  return { type: response.headers.get('content-type'), lines: (await response.text()).split('\n') };
}

test('before the first call every method has a count of its successes and of each failure of the infrastructure', async () => {
  await using mesh = await startTestMesh([echo]);
  const { lines } = await scrape(mesh);
  for (const code of ['OK', 'Unavailable', 'DeadlineExceeded', 'Internal', 'Unknown', 'DataLoss']) {
    expect(lines).toContain(`ragmesh_rpc_total{service="${contract}",method="Unary",code="${code}"} 0`);
  }
  expect(lines).toContain(`ragmesh_rpc_ms_count{service="${contract}"} 0`);
  expect(lines).toContain(`ragmesh_streams_open{service="${contract}"} 0`);
});

test('a stream is counted while it is in flight', async () => {
  const { service, release } = createSlowEcho();
  await using mesh = await startTestMesh([service]);
  const stream = mesh
    .client(EchoService)
    .serverStream({ text: 'a' }, await mesh.as())
    [Symbol.asyncIterator]();
  await stream.next();
  expect((await scrape(mesh)).lines).toContain(`ragmesh_streams_open{service="${contract}"} 1`);
  release();
  while (!(await stream.next()).done);
  expect((await scrape(mesh)).lines).toContain(`ragmesh_streams_open{service="${contract}"} 0`);
});

test('a client that accepts OpenMetrics gets it, and the next one that does not gets the text format', async () => {
  await using mesh = await startTestMesh([echo]);
  await mesh.client(EchoService).unary({ text: 'a' }, await mesh.as());
  const open = await scrape(mesh, 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
  expect(open.type).toBe(openMetricsType);
  expect(open.lines).toContain('# TYPE ragmesh_rpc counter');
  expect(open.lines.slice(-2)).toEqual(['# EOF', '']);
  const text = await scrape(mesh);
  expect(text.type).toContain('version=0.0.4');
  const sample = `ragmesh_rpc_total{service="${contract}",method="Unary",code="OK"} 1`;
  expect(open.lines).toContain(sample);
  expect(text.lines).toContain(sample);
});

test('what the process is and whether it can serve are metrics', async () => {
  const reasons = new Map<string, string>();
  const stored = defineService({
    name: 'echo',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {},
      readiness: ['store', 'helper'].map((name) => ({
        name,
        isOptional: name === 'helper',
        async check() {
          const reason = reasons.get(name);
          if (reason !== undefined) throw new Error(reason);
        },
      })),
      close: async () => {},
    }),
  });
  await using mesh = await startTestMesh([stored]);
  const shown = async () =>
    (await scrape(mesh)).lines
      .filter((line) => /^ragmesh_(service|build)_/.test(line))
      .map((line) => line.replace(/node="[^"]+"/, 'node=""'));
  const info = 'ragmesh_build_info{version="unknown",node=""} 1';
  expect(await shown()).toEqual([
    info,
    'ragmesh_service_ready{service="echo"} 1',
    'ragmesh_service_degraded{service="echo"} 0',
  ]);
  reasons.set('store', 'away').set('helper', 'away');
  await expect
    .poll(shown)
    .toEqual([info, 'ragmesh_service_ready{service="echo"} 0', 'ragmesh_service_degraded{service="echo"} 1']);
});

test('calls to another process are counted by the code that their caller gets, also when the other is away', async () => {
  const mesh = await startTestMesh([echo]);
  const metrics = createMetrics();
  const transport = createGrpcTransport({
    address: `127.0.0.1:${mesh.host.grpcPort}`,
    methods: EchoService.methods,
    retries: false,
    onEnd: clientObserver(metrics),
  });
  const client = createClient(EchoService, transport);
  const options = await mesh.as();
  await client.unary({ text: 'a' }, options);
  for await (const _ of client.serverStream({ text: 'a', count: 2 }, options));
  await mesh.close();
  await expect(client.unary({ text: 'a' }, options)).rejects.toThrow();
  transport.close();
  const counts = (await metrics.registry.getSingleMetricAsString('ragmesh_rpc_client_total')).split('\n').slice(2);
  expect(counts).toEqual([
    `ragmesh_rpc_client_total{service="${contract}",method="Unary",code="OK"} 1`,
    `ragmesh_rpc_client_total{service="${contract}",method="ServerStream",code="OK"} 1`,
    `ragmesh_rpc_client_total{service="${contract}",method="Unary",code="Unavailable"} 1`,
  ]);
});
