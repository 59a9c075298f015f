import { create } from '@bufbuild/protobuf';
import {
  MessageRole,
  MessageSchema,
  ReasoningEffort,
  ResponseFormatSchema,
  ToolChoiceMode,
  ToolChoiceSchema,
  ToolSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps, ProviderRequest } from '../providers/llm-provider.ts';
import { requestOf } from '../suites/llm-provider.suite.ts';
import { createTargetFetch } from '../transport/fetch.ts';

// A `fetch` that plays a provider, for tests of adapters: what is sent is kept, what comes back is written out in bytes.

/** A request as it went out. */
export interface SentRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  /** Its JSON; `undefined` without a body. */
  body: unknown;
}

/** A `fetch` with the replies of a provider. */
export interface ScriptedFetch {
  fetch: typeof globalThis.fetch;
  sent: SentRequest[];
}

/** A `fetch` that gives the n-th request the n-th reply, the last one again and again. */
export function scriptedFetch(...replies: (() => Response)[]): ScriptedFetch {
  const sent: SentRequest[] = [];
  return {
    sent,
    async fetch(input, init) {
      const request = new Request(input, init);
      request.signal.throwIfAborted();
      const text = await request.text();
      const reply = replies[Math.min(sent.length, replies.length - 1)] as () => Response;
      sent.push({
        method: request.method,
        url: request.url,
        headers: Object.fromEntries(request.headers),
        body: text === '' ? undefined : JSON.parse(text),
      });
      return reply();
    },
  };
}

/** A reply with server-sent events: objects as JSON, strings as they are. `cuts`: the offsets at which its bytes are cut into pieces. */
export function eventStream(
  events: readonly (object | string)[],
  cuts: readonly number[] = [],
  headers: Record<string, string> = {},
): () => Response {
  const text = events
    .map((event) => (typeof event === 'string' ? event : `data: ${JSON.stringify(event)}\n\n`))
    .join('');
  const bytes = new TextEncoder().encode(text);
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  const pieces = edges.slice(1).map((end, index) => bytes.slice(edges[index], end));
  return () =>
    new Response(streamOf(pieces), {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', ...headers },
    });
}

function streamOf(pieces: readonly Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  let index = 0;
  return new ReadableStream({
    pull(controller) {
      const piece = pieces[index++];
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  });
}

/** A reply in one piece. */
export function jsonReply(status: number, body: unknown, headers: Record<string, string> = {}): () => Response {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return () => new Response(text, { status, headers: { 'content-type': 'application/json', ...headers } });
}

// The one that adapters get from the gateway.
const clocks = {
  connectMs: 2000,
  headersMs: 30_000,
  firstTokenMs: 30_000,
  idleMs: 15_000,
  totalMs: 120_000,
  wholeMs: 120_000,
};
const gatewayFetch = createTargetFetch(clocks, 64).fetch;

/** An adapter as the gateway loads it. */
export async function loadAdapter(
  name: string,
  settings: Parameters<typeof createFromAdapter>[2],
  fetch: typeof globalThis.fetch = gatewayFetch,
): Promise<LlmProvider> {
  const folder = new URL('../adapters/llm-provider/', import.meta.url);
  const path = 'llm_gateway.models[0]';
  const deps: LlmProviderDeps = { log: createLogger('silent'), path, fetch };
  return await createFromAdapter<LlmProvider, LlmProviderDeps>(folder, name, settings, deps, path);
}

/** A request that has everything: for a look at all of what an adapter sends. */
export function richRequest(): ProviderRequest {
  const message = (role: MessageRole, text: string, init = {}) => create(MessageSchema, { role, text, ...init });
  return requestOf({
    messages: [
      message(MessageRole.SYSTEM, 'Be kind.'),
      message(MessageRole.USER, '退货？', {
        images: [
          { source: { case: 'url', value: 'https://shop.example/lamp.png' } },
          { source: { case: 'data', value: Uint8Array.of(137, 80, 78, 71) }, mediaType: 'image/png' },
        ],
      }),
      message(MessageRole.ASSISTANT, '', { toolCalls: [{ id: 'c1', name: 'order', argumentsJson: '{"id":7}' }] }),
      message(MessageRole.TOOL, 'shipped', { toolCallId: 'c1' }),
      message(MessageRole.USER, 'And now?'),
    ],
    maxTokens: 500,
    temperature: Math.fround(0.7),
    topP: Math.fround(0.9),
    seed: 42n,
    frequencyPenalty: Math.fround(0.1),
    presencePenalty: Math.fround(-0.2),
    stop: ['END'],
    tools: [create(ToolSchema, { name: 'order', description: 'finds an order', parametersJson: '{"type":"object"}' })],
    toolChoice: create(ToolChoiceSchema, { mode: ToolChoiceMode.NAMED, name: 'order' }),
    parallelToolCalls: false,
    responseFormat: create(ResponseFormatSchema, {
      form: { case: 'jsonSchema', value: { name: 'answer', schemaJson: '{"type":"object"}', strict: false } },
    }),
    reasoningEffort: ReasoningEffort.LOW,
    tenantTag: 't-5f3a',
  });
}
