import { createServer } from 'node:http';
import { Code, type ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import type { WebSearch } from '../../stores/web-search.ts';
import { webSearchSuite } from '../../suites/web-search.suite.ts';
import { adapter } from './tavily.ts';

const create = (url: string, timeout_ms: number) =>
  adapter.create({ api_key: 'tvly-test', url, timeout_ms }, {}) as WebSearch;

// The shape: https://docs.tavily.com/documentation/api-reference/endpoint/search
webSearchSuite('tavily', {
  create,
  headers: ['accept', 'authorization', 'content-type'],
  replyOf: (results) => ({
    query: 'return policy',
    answer: null,
    images: [],
    results: results.map(({ title, url, text }) => ({ title, url, content: text, score: 0.81, raw_content: null })),
    response_time: '1.67',
    request_id: '123e4567-e89b-12d3-a456-426614174111',
  }),
  refusal: { status: 401, body: { detail: { error: 'Unauthorized: missing or invalid API key.' } } },
});

test('a plan that is used up is RESOURCE_EXHAUSTED', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(432).end('{"detail":{"error":"This request exceeds your plan\'s set usage limit."}}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const engine = create(`http://127.0.0.1:${(server.address() as { port: number }).port}`, 5000);
  const asked = engine.search({ text: 'x', language: '', limit: 1 }, new AbortController().signal);
  const error = await asked.catch((thrown: unknown) => thrown);
  server.closeAllConnections();
  server.close();
  expect((error as ConnectError).code).toBe(Code.ResourceExhausted);
});
