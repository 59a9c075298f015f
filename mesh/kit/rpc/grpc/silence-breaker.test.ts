import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Code, type ConnectError } from '@connectrpc/connect';
import { afterEach, describe, expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { createClient } from '../client.ts';
import { createGrpcTransport } from './client.ts';
import { grpc } from './grpc-js.ts';
import { createSilenceBreaker } from './silence-breaker.ts';

const status = (code: Code, metadata: Record<string, string> = {}) => ({
  code: code as number,
  details: '',
  metadata: grpc().Metadata.fromHttp2Headers(metadata),
});
const late = status(Code.DeadlineExceeded);

describe('the breaker', () => {
  let now = 0;
  const changes: boolean[] = [];
  const start = (isConnected = false) => {
    now = 0;
    changes.length = 0;
    const breaker = createSilenceBreaker(
      (isOpen) => changes.push(isOpen),
      () => isConnected,
      () => now,
    );
    return {
      breaker,
      silentCall(waitMs = 300, end: typeof late | undefined = late) {
        const call = breaker.watch('m');
        now += waitMs;
        call.ended(end, end !== undefined);
      },
    };
  };

  test('opens after five silent calls in a row; then one call tries, after a second and then after two, and the first sign closes it', () => {
    const { breaker, silentCall } = start();
    for (let count = 0; count < 5; count++) silentCall();
    expect(changes).toEqual([true]);
    expect(() => breaker.watch('m')).toThrow(/does not reply/);
    now += 1000;
    const trial = breaker.watch('m');
    expect(() => breaker.watch('m')).toThrow(/does not reply/);
    now += 300;
    trial.ended(late, true);
    now += 1999;
    expect(() => breaker.watch('m')).toThrow(/does not reply/);
    now += 1;
    breaker.watch('m').heard();
    expect(changes).toEqual([true, false]);
    breaker.watch('m');
  });

  test.each([
    ['one call that got something', ({ breaker }: ReturnType<typeof start>) => breaker.watch('m').heard()],
    ['an error of the process itself', ({ breaker }) => breaker.watch('m').ended(status(Code.NotFound), false)],
    [
      'a refusal with details',
      ({ breaker }) => breaker.watch('m').ended(status(Code.Unavailable, { 'x-reason': 'draining' }), false),
    ],
  ] as [string, (started: ReturnType<typeof start>) => void][])('%s between silent ones keeps it closed', (_, sign) => {
    const started = start();
    for (let round = 0; round < 5; round++) {
      for (let count = 0; count < 4; count++) started.silentCall();
      sign(started);
    }
    expect(changes).toEqual([]);
  });

  test('callers that leave early, or are in a hurry, open nothing', () => {
    const { silentCall } = start();
    for (let count = 0; count < 50; count++) silentCall(count, count % 2 === 0 ? undefined : late);
    expect(changes).toEqual([]);
  });

  test('refused connections count without a wait, but not while another replica is connected', () => {
    for (const isConnected of [true, false]) {
      const { silentCall } = start(isConnected);
      for (let count = 0; count < 5; count++) silentCall(0, status(Code.Unavailable));
      expect(changes).toEqual(isConnected ? [] : [true]);
    }
  });
});

describe('a client', () => {
  const open: { close(): void }[] = [];
  afterEach(() => {
    for (const each of open.splice(0)) each.close();
  });

  test('waits for a hung process a few times, then not at all, and finds out that it is back', async () => {
    const hung: ServerHttp2Stream[] = [];
    let isHung = true;
    const server = createServer();
    const answer = (stream: ServerHttp2Stream) =>
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true });
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      if (isHung) hung.push(stream);
      else answer(stream);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const changes: boolean[] = [];
    const transport = createGrpcTransport({
      address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      methods: EchoService.methods,
      onBreaker: (isOpen) => changes.push(isOpen),
    });
    open.push(transport, server);
    const { unary } = createClient(EchoService, transport);
    const codeOf = () =>
      unary({ text: 'x' }, { timeoutMs: 300 }).then(
        () => 'OK',
        (error: unknown) => Code[(error as ConnectError).code],
      );
    expect(await Promise.all(Array.from({ length: 5 }, codeOf))).toEqual(Array(5).fill('DeadlineExceeded'));
    expect(changes).toEqual([true]);
    expect(await Promise.all(Array.from({ length: 100 }, codeOf))).toEqual(Array(100).fill('Unavailable'));
    expect(hung.length).toBeLessThanOrEqual(6);
    isHung = false;
    await expect.poll(codeOf, { timeout: 10_000, interval: 50 }).toBe('NotFound');
    expect(changes).toEqual([true, false]);
    expect(await codeOf()).toBe('NotFound');
  });
});
