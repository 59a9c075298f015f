import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { type LoopbackReply, startLoopback } from '#kit/testing/http.ts';
import type { SemanticStore, SemanticStoreDeps } from '../../semantic/semantic-store.ts';
import { keyOf, vectorAt } from '../../suites/semantic-store.suite.ts';

const open = (url: string, given: object = {}) =>
  createFromAdapter<SemanticStore, SemanticStoreDeps>(
    new URL('./', import.meta.url),
    'qdrant',
    { url, ...given },
    {
      folder: '',
      clock: () => 5000,
      random: Math.random,
      log: createLogger('silent'),
      maxPerScope: 9,
      maxPerTenant: 9,
      dimensions: 8,
      embeddingModel: 'm',
    },
    'cache.semantic_store',
  );
const query = { tenant: 't', scopeKey: 's', vector: vectorAt(0), limit: 3 };
const { signal } = new AbortController();
/** Replies in the shape of Qdrant's OpenAPI file (v1.19). */
const ok = (result: unknown): LoopbackReply => ({ json: { result, status: 'ok', time: 0.001 } });
const refused = (status: number): LoopbackReply => ({
  status,
  json: { status: { error: 'Bad request: the question said' }, time: 0 },
});

describe('Qdrant', () => {
  test('every search names tenant, scope and time', async () => {
    await using server = await startLoopback(() =>
      ok({ points: [{ id: 1, version: 0, score: 0.9, payload: { key: keyOf(1), question: 'q' }, vector: [1, 0] }] }),
    );
    const store = await open(server.url, { api_key: 'secret' });
    expect(await store.search(query, signal)).toEqual([
      { key: keyOf(1), question: 'q', similarity: 0.9, vector: Float32Array.of(1, 0) },
    ]);
    const [request] = server.requests;
    expect(request?.path).toMatch(/^\/collections\/ragmesh_questions_[0-9a-f]{12}\/points\/query$/);
    expect(request?.headers['api-key']).toBe('secret');
    expect(request?.body).toMatchObject({
      filter: {
        must: [
          { key: 'tenant', match: { value: 't' } },
          { key: 'scope', match: { value: 's' } },
          { key: 'expires_at', range: { gt: 5000 } },
        ],
      },
      limit: 3,
      params: { exact: true },
      with_vector: true,
    });
  });

  test('a collection that is not there is empty', async () => {
    await using server = await startLoopback(() => refused(404));
    const store = await open(server.url);
    expect(await store.search(query, signal)).toEqual([]);
    expect(await store.count('t', signal)).toBe(0);
    await store.remove('t', { kind: 'all' }, signal);
  });

  test.each([
    [400, Code.Internal],
    [401, Code.Unavailable],
    [429, Code.ResourceExhausted],
    [503, Code.Unavailable],
  ])('HTTP %i is told by its code, without what the server said', async (status, code) => {
    await using server = await startLoopback(() => refused(status));
    const error = await (await open(server.url)).search(query, signal).catch((thrown: unknown) => thrown);
    expect(ConnectError.from(error).code).toBe(code);
    expect(ConnectError.from(error).message).not.toContain('question said');
  });

  test('a server that hangs or is away is UNAVAILABLE; a caller that leaves is released', async () => {
    await using server = await startLoopback(() => ({ hang: true }));
    const store = await open(server.url, { timeout_ms: 50 });
    await expect(store.search(query, signal)).rejects.toMatchObject({ code: Code.Unavailable });
    const caller = new AbortController();
    const searching = (await open(server.url)).search(query, caller.signal);
    caller.abort(new Error('left'));
    await expect(searching).rejects.toThrow('left');
    const away = await open('http://127.0.0.1:1');
    await expect(away.search(query, signal)).rejects.toMatchObject({ code: Code.Unavailable });
  });
});
