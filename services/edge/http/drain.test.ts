import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import { Health } from '#gen/health/v1/health_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { stretched } from '#kit/testing/time.ts';
import { shortAnswer, startEdgeMesh } from '../testing/stand-ins.ts';

const openResources = () => process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|Immediate/.test(kind));

/** Returns the open resources that are not among the earlier ones, of which some may have ended meanwhile. */
function addedTo(before: readonly string[]): string[] {
  const known = [...before];
  return openResources().filter((kind) => {
    const at = known.indexOf(kind);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}

/** An answer that waits for `release` in its middle. */
function held() {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return {
    release: () => release(),
    async *answer(request: Parameters<typeof shortAnswer>[0]) {
      yield { case: 'textDelta' as const, value: { text: 'first' } };
      await released;
      yield* shortAnswer(request);
    },
  };
}

test.each(['1.1', '2'] as const)(
  'on shutdown, streams over HTTP/%s finish and nothing new begins',
  async (httpVersion) => {
    const { release, answer } = held();
    const edge = await startEdgeMesh({ answer });
    const client = createClient(ChatService, createConnectTransport({ baseUrl: edge.url, httpVersion }));
    const cases: (string | undefined)[] = [];
    const reading = (async () => {
      for await (const { event } of client.ask({ question: 'x' }, { headers: edge.authorization }))
        cases.push(event.case);
    })();
    await expect.poll(() => cases.length, { interval: 5 }).toBe(1);
    const closing = edge.mesh.close();
    await expect
      .poll(
        () =>
          fetch(`${edge.url}/healthz`).then(
            () => 'open',
            () => 'closed',
          ),
        { interval: 5 },
      )
      .toBe('closed');
    release();
    await reading;
    expect(cases.at(-1)).toBe('done');
    await closing;
    expect(edge.edge.connectionCount()).toBe(0);
  },
);

test('with a delay, a process that is about to drain is not ready and still serves new connections', async () => {
  const edge = await startEdgeMesh({ config: { grpc: { drainDelayMs: stretched(300) } } });
  const closing = edge.mesh.close();
  expect(edge.mesh.host.readiness().map(({ notReady }) => notReady)).toContain('draining');
  expect((await fetch(`${edge.url}/healthz`, { headers: { connection: 'close' } })).status).toBe(200);
  await closing;
  await expect(fetch(`${edge.url}/healthz`)).rejects.toThrow();
});

test('streams that do not finish are cut when the grace period ends', async () => {
  const { answer } = held();
  const edge = await startEdgeMesh({ answer, config: { grpc: { drainMs: 100 } } });
  const client = createClient(ChatService, createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }));
  const reading = (async () => {
    for await (const _ of client.ask({ question: 'x' }, { headers: edge.authorization }));
  })().catch(ConnectError.from);
  await expect.poll(() => edge.seen.openCount, { interval: 5 }).toBe(1);
  const startedAt = performance.now();
  await edge.mesh.close();
  expect(performance.now() - startedAt).toBeLessThan(stretched(1500));
  expect(await reading).toBeInstanceOf(ConnectError);
});

test('idle connections and watches of health do not hold the shutdown up', async () => {
  const edge = await startEdgeMesh({});
  const session = connectHttp2(edge.url);
  await once(session, 'connect');
  const silent = connect(edge.edge.port, '127.0.0.1');
  await once(silent, 'connect');
  expect((await fetch(`${edge.url}/healthz`)).status).toBe(200);
  const health = createClient(Health, createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }));
  const statuses: number[] = [];
  const watching = (async () => {
    for await (const { status } of health.watch({})) statuses.push(status);
  })().catch(ConnectError.from);
  await expect.poll(() => statuses.length, { interval: 5 }).toBe(1);
  const startedAt = performance.now();
  await edge.mesh.close();
  expect(performance.now() - startedAt).toBeLessThan(stretched(1000));
  expect(await watching).toMatchObject({ code: Code.Unavailable });
});

test('closing frees everything', async () => {
  // Clients of the tests before are closed by their servers.
  await expect.poll(openResources, { interval: 10, timeout: 20_000 }).not.toContain('TCP');
  const before = openResources();
  for (let round = 0; round < 3; round++) {
    const edge = await startEdgeMesh({});
    const client = createClient(ChatService, createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }));
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        for await (const _ of client.ask({ question: 'x' }, { headers: edge.authorization }));
      }),
    );
    await edge.mesh.close();
  }
  await expect.poll(() => addedTo(before), { interval: 10, timeout: 20_000 }).toEqual([]);
});

test('an occupied port stops the start, and says what to do', async () => {
  await using edge = await startEdgeMesh({});
  const error = await startEdgeMesh({ config: { edge: { port: edge.edge.port } } }).catch((thrown: Error) => thrown);
  expect(String(error)).toMatch(new RegExp(`port ${edge.edge.port} is taken.*edge\\.port`));
});

test('a process that cannot sign tokens is no edge', async () => {
  const { generateKeyPairSync } = await import('node:crypto');
  const publicKey = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }) as string;
  await expect(startEdgeMesh({ config: { identity: { publicKey } } })).rejects.toThrow(
    /identity\.private_key: is missing/,
  );
});
