import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { services } from '../run.ts';
import { createStatusLine, type Greeting, greetingOf } from './greeting.ts';

function greet(names: readonly string[], config: MessageInitShape<typeof ConfigSchema>, more: Partial<Greeting> = {}) {
  const running = (name: string) => (name === 'edge' && names.includes('edge') ? { port: 8080, devKeys } : undefined);
  const devKeys = { dev: 'rm_dev_a', customer: 'rm_dev_b' };
  return greetingOf({
    host: { grpcPort: 50051, adminPort: 9464, running: running as never, readiness: () => [] },
    config: create(ConfigSchema, config),
    known: services,
    chosen: services.filter(({ name }) => names.includes(name)),
    startMs: 1234,
    sample: undefined,
    ...more,
  });
}
const all = services.map(({ name }) => name);

test('a whole mesh shows its addresses, the sample, the keys and their file', () => {
  const lines = greet(all, { dataDir: 'data' }, { sample: { documentCount: 72 } });
  expect(lines).toEqual([
    'ragmesh is up in 1.2 s',
    '  console and API  http://127.0.0.1:8080',
    '  gRPC             127.0.0.1:50051',
    '  health, metrics  http://127.0.0.1:9464',
    '  sample           72 documents in corpus "shop"',
    '  development key  rm_dev_a (staff, may call models)',
    '  customer key     rm_dev_b (asks public documents only)',
    '  keys are in      data/edge/dev-keys.json',
  ]);
});

test('a part of a mesh shows what runs here, the addresses of what it calls elsewhere, and the key that all share', () => {
  const config = { dataDir: 'data', addresses: { retrieval: '10.0.0.7:50051', cache: '10.0.0.8:50051' } };
  const lines = greet(['chat'], config);
  expect(lines[0]).toBe('ragmesh is up in 1.2 s: chat');
  expect(lines).toContain('  remote           retrieval at 10.0.0.7:50051');
  expect(lines).toContain('  remote           cache at 10.0.0.8:50051');
  expect(lines).toContain('  NO ADDRESS       llm-gateway: calls to it fail; set addresses.llm-gateway');
  expect(lines).toContain('  mesh key         data/identity.pem (every process of the mesh needs the same)');
  expect(lines.join('\n')).not.toContain('console and API');
});

test('a service that is not ready or degraded, and a sample that could not be loaded, are shown with the reason', () => {
  const reports = [
    { service: 'retrieval', notReady: 'vector_store: cannot be reached', degraded: [] },
    { service: 'cache', notReady: undefined, degraded: ['store: cannot be reached'] },
  ];
  const host = { grpcPort: 1, adminPort: 2, running: () => undefined, readiness: () => reports };
  const lines = greet(all, {}, { host, sample: { documentCount: 0, problem: 'the vector store cannot be reached' } });
  expect(lines).toContain('  NOT READY        retrieval: vector_store: cannot be reached');
  expect(lines).toContain('  degraded         cache: store: cannot be reached');
  expect(lines).toContain('  sample           NOT LOADED: the vector store cannot be reached');
});

function written(isTTY: boolean): string {
  const parts: string[] = [];
  const status = createStatusLine({ isTTY, write: (part: string) => parts.push(part) > 0 });
  status.show('loading …');
  status.clear();
  return `${parts.join('')}ragmesh is up\n`;
}

test('the status line is erased from a terminal before the next line, and is a line of its own in a log', () => {
  expect(written(true)).toBe('\r\x1b[Kloading …\r\x1b[Kragmesh is up\n');
  expect(written(false)).toBe('loading …\nragmesh is up\n');
});
