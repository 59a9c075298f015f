import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { streamInSpan, withSpan } from '../../base/span.ts';
import { collect } from '../../base/streams.ts';
import { createClient } from '../../rpc/client.ts';
import { createGrpcTransport } from '../../rpc/grpc/client.ts';
import { startTestMesh } from '../../testing/mesh.ts';
import { defineService } from '../define-service.ts';
import { startTelemetry } from './telemetry.ts';

// Alone in its file: tracing is started once a process, before grpc-js is loaded.
const exporter = new InMemorySpanExporter();
const telemetry = startTelemetry(undefined, 'test', { exporter });

const echo = defineService({
  name: 'echo',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  create: async () => ({
    impl: {
      unary: () => withSpan('inner', {}, async () => ({})),
      serverStream: () =>
        streamInSpan('inner', {}, async function* () {
          yield { text: 'a' };
          yield await withSpan('innermost', {}, async () => ({ text: 'b' }));
        }),
    },
    close: async () => {},
  }),
});

/** A trace as a tree of names and kinds. */
function shape(spans: ReadableSpan[], parent: string | undefined): unknown[] {
  return spans
    .filter((span) => span.parentSpanContext?.spanId === parent)
    .map((span) => [
      span.name,
      span.kind,
      span.attributes['rpc.grpc.status_code'],
      ...shape(spans, span.spanContext().spanId),
    ]);
}

test.each(['unary', 'serverStream'] as const)(
  'a trace of a %s call reads the same over grpc and in process',
  async (method) => {
    await using mesh = await startTestMesh([echo], { tracing: true });
    const address = `127.0.0.1:${mesh.host.grpcPort}`;
    const transport = createGrpcTransport({ address, methods: EchoService.methods, tracing: true });
    const traces: unknown[] = [];
    for (const client of [mesh.client(EchoService), createClient(EchoService, transport)]) {
      const options = await mesh.as();
      exporter.reset();
      await withSpan('root', {}, async () => {
        if (method === 'unary') await client.unary({}, options);
        else await collect(client.serverStream({}, options));
      });
      await telemetry.flush();
      traces.push(shape(exporter.getFinishedSpans(), undefined));
    }
    transport.close();
    const [local, network] = traces;
    expect(local).toEqual(network);
    expect(JSON.stringify(local)).toContain('grpc.ragmesh.testing.v1.EchoService');
    expect(JSON.stringify(local)).toContain('inner');
  },
);
