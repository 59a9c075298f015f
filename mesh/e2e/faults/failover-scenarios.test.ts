import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { stretched } from '#kit/testing/time.ts';
import {
  content,
  cutAfter,
  doneMark,
  failed,
  finish,
  type Responder,
  silence,
  startFakeProvider,
  streamed,
  usage,
} from '../../../services/llm-gateway/testing/provider-server.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Sixteen scenarios of a route with a primary and a fallback, as a client of OpenAI's package meets them: with "hold-back" each ends well;
// live, none ends as if it were whole, and with "continue" those pass whose fallback declares prefill.

/** What a scenario must end with. */
type Ending =
  | { text: string; by: 'primary' | 'fallback'; finish?: string; call?: string }
  | { status: number; code: string };

interface Scenario {
  name: string;
  /** Replies of the primary, one a request; the last one again and again. `undefined`: no server is there. */
  primary: readonly Responder[] | undefined;
  fallback?: Responder;
  held: Ending;
  /** How it ends live: as held, or in the band with this code. @default as held */
  live?: string;
  /** Context of the primary, in tokens. */
  contextTokens?: number;
}

const said = 'Thirty days.';
const answer = (text: string): Responder => streamed([content(text), finish('stop'), usage(11, 3), doneMark]);
const well = answer(said);
const half = [content('Thirty ')];
const fromPrimary: Ending = { text: said, by: 'primary' };
const fromFallback: Ending = { text: said, by: 'fallback' };
const callPart = (part: object) => ({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, ...part }] } }] });
const beginsCall = callPart({ id: 'c1', type: 'function', function: { name: 'track', arguments: '{"order":' } });
const wholeCall = streamed([
  callPart({ id: 'c2', type: 'function', function: { name: 'track', arguments: '{"order":7}' } }),
  finish('tool_calls'),
  doneMark,
]);

const scenarios: readonly Scenario[] = [
  { name: '429 with a short wait', primary: [failed(429, {}, { 'retry-after': '1' }), well], held: fromPrimary },
  { name: '429 with a long wait', primary: [failed(429, {}, { 'retry-after': '600' })], held: fromFallback },
  { name: 'one 500', primary: [failed(500, { message: 'x' }), well], held: fromPrimary },
  { name: '503 for as long as it is asked', primary: [failed(503, { message: 'x' })], held: fromFallback },
  { name: 'a refused connection', primary: undefined, held: fromFallback },
  { name: 'a connection cut before the head', primary: [(response) => response.destroy()], held: fromFallback },
  { name: 'no head', primary: [silence], held: fromFallback },
  { name: 'a stall before the first word', primary: [streamed([], true)], held: fromFallback },
  { name: 'a cut in the middle', primary: [cutAfter(half)], held: fromFallback, live: 'upstream_error' },
  { name: 'a stall in the middle', primary: [streamed(half, true)], held: fromFallback, live: 'upstream_error' },
  {
    name: 'a malformed chunk',
    primary: [streamed([...half, 'data: {"choi\n\n'])],
    held: fromFallback,
    live: 'upstream_error',
  },
  {
    name: 'an error inside of a 200',
    primary: [streamed([...half, { error: { message: 'x', code: 'server_error' } }])],
    held: fromFallback,
    live: 'upstream_error',
  },
  { name: 'an end without a reason', primary: [streamed([...half, doneMark])], held: fromFallback, live: 'truncated' },
  {
    name: 'a tool call that is cut',
    primary: [cutAfter([beginsCall])],
    fallback: wholeCall,
    held: { text: '', by: 'fallback', finish: 'tool_calls', call: '{"order":7}' },
    live: 'upstream_error',
  },
  {
    name: 'a prompt that is too long, and a fallback of unknown length',
    primary: [failed(400, { code: 'context_length_exceeded', message: 'too long' })],
    contextTokens: 8000,
    held: fromFallback,
  },
  {
    name: 'a content filter',
    primary: [failed(400, { code: 'content_policy_violation', message: 'no' })],
    held: { status: 400, code: 'content_filter' },
  },
];

let mesh: WholeMesh;
let client: OpenAI;
let provider: Awaited<ReturnType<typeof startFakeProvider>>;
const clockMs = Math.ceil(stretched(400));
const nameOf = (index: number, mode: string) => `s${index}-${mode}`;
const modes = ['held', 'live', 'continued'] as const;
/** The text with which a fallback was asked to continue, by its model. */
const prefixes = new Map<string, string>();
const counts = new Map<string, number>();

beforeAll(async () => {
  const byModel = new Map(scenarios.flatMap((one, index) => modes.map((mode) => [nameOf(index, mode), one] as const)));
  provider = await startFakeProvider((response, request, body) => {
    const { model, messages } = body as { model: string; messages: { role: string; content: string }[] };
    const [name = '', side] = model.split('/');
    const scenario = byModel.get(name) as Scenario;
    const count = counts.get(model) ?? 0;
    counts.set(model, count + 1);
    if (side === 'primary') {
      const replies = scenario.primary ?? [];
      return (replies[Math.min(count, replies.length - 1)] as Responder)(response, request, body);
    }
    const last = messages.at(-1);
    if (last?.role !== 'assistant') return (scenario.fallback ?? well)(response, request, body);
    prefixes.set(name, last.content);
    return answer(said.slice(last.content.length))(response, request, body);
  });
  const timeouts = { headersMs: clockMs, firstTokenMs: clockMs, idleMs: clockMs };
  const adapter = 'openai-compatible';
  const names = [...byModel.keys()];
  mesh = await startWholeMesh({
    sample: false,
    config: {
      llmGateway: {
        models: names.flatMap((name) => {
          const { primary, contextTokens } = byModel.get(name) as Scenario;
          const url = primary === undefined ? 'http://127.0.0.1:1/v1' : provider.url;
          const settings = { base_url: url, model: `${name}/primary`, context_tokens: contextTokens ?? 0 };
          const prefill = name.endsWith('continued');
          return [
            { name: `${name}-a`, adapter, settings, timeouts },
            { name: `${name}-b`, adapter, settings: { base_url: provider.url, model: `${name}/fallback`, prefill } },
          ];
        }),
        routes: names.map((name) => ({ name, models: [`${name}-a`, `${name}-b`] })),
        stayMs: 5000,
        prices: {
          version: 'test',
          currency: 'USD',
          prices: names
            .flatMap((name) => [`${name}-a`, `${name}-b`])
            .map((model) => ({ model, prompt: 1, completion: 2 })),
        },
      },
    },
  });
  client = new OpenAI({ apiKey: mesh.devKey, baseURL: `${mesh.edgeUrl}/v1`, maxRetries: 0 });
});
afterAll(async () => {
  await mesh?.close();
  await provider?.[Symbol.asyncDispose]();
});

/** What a client has at the end of a stream. */
interface Got {
  text: string;
  call: string;
  finish: string | undefined;
  model: string;
  error: APIError | undefined;
}

async function ask(model: string, policy: string): Promise<Got> {
  const got: Got = { text: '', call: '', finish: undefined, model: '', error: undefined };
  try {
    const stream = await client.chat.completions.create(
      { model, messages: [{ role: 'user', content: 'How long?' }], stream: true },
      { headers: { 'x-ragmesh-mid-stream-policy': policy } },
    );
    for await (const { model: by, choices } of stream) {
      got.model = by;
      const [choice] = choices;
      got.text += choice?.delta.content ?? '';
      got.call += choice?.delta.tool_calls?.[0]?.function?.arguments ?? '';
      got.finish = choice?.finish_reason ?? got.finish;
    }
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    got.error = error;
  }
  return got;
}

function expectEnding(got: Got, ending: Ending, name: string): void {
  if ('status' in ending) {
    expect([got.text, got.finish, got.error?.status, got.error?.code]).toEqual([
      '',
      undefined,
      ending.status,
      ending.code,
    ]);
    return;
  }
  expect(got).toEqual({
    text: ending.text,
    call: ending.call ?? '',
    finish: ending.finish ?? 'stop',
    // The model that answered, and not the route.
    model: `${name}/${ending.by}`,
    error: undefined,
  });
}

describe('held back, every scenario ends well', () => {
  test.concurrent.each(scenarios.map((scenario, index) => ({ ...scenario, index })))(
    '$name',
    async ({ index, held }) => {
      const name = nameOf(index, 'held');
      expectEnding(await ask(name, 'hold-back'), held, name);
    },
  );

  test('and the ledger has each usage under the model that it was paid for', async () => {
    const auditor = await mesh.as(testPrincipal({ tenant: 'demo' }));
    await vi.waitFor(
      async () => {
        const { rows } = await mesh.client(AuditService).getUsageReport({}, auditor);
        const used = rows.filter(({ model }) => model.startsWith(`${nameOf(1, 'held')}-`));
        // The primary, which refused, is owed nothing.
        expect(used).toMatchObject([
          { model: `${nameOf(1, 'held')}-b`, promptTokens: 11n, completionTokens: 3n, costMicros: 17n },
        ]);
      },
      { timeout: 15_000 },
    );
  });
});

describe('live, no scenario ends as if it were whole', () => {
  test.concurrent.each(scenarios.map((scenario, index) => ({ ...scenario, index })))(
    '$name',
    async ({ index, held, live }) => {
      const name = nameOf(index, 'live');
      const got = await ask(name, 'fail');
      if (live === undefined) return expectEnding(got, held, name);
      expect([got.finish, got.error?.code]).toEqual([undefined, live]);
      expect(said.startsWith(got.text)).toBe(true);
    },
  );
});

describe('live, with "continue" and a fallback that declares prefill', () => {
  const broken = scenarios.map((scenario, index) => ({ ...scenario, index })).filter(({ live }) => live !== undefined);
  test.concurrent.each(broken)('$name', async ({ index, fallback }) => {
    const name = nameOf(index, 'continued');
    const got = await ask(name, 'continue');
    if (fallback !== undefined) {
      // A tool call cannot be continued.
      expect([got.finish, got.error?.code]).toEqual([undefined, 'upstream_error']);
      return;
    }
    expect([got.text, got.finish, got.error]).toEqual([said, 'stop', undefined]);
    expect(prefixes.get(name)).toBe('Thirty ');
  });

  test('without prefill it ends as "fail", and the fallback is not asked', async () => {
    const index = scenarios.findIndex(({ name }) => name === 'a cut in the middle');
    const model = nameOf(index, 'live');
    const before = counts.get(`${model}/fallback`);
    const got = await ask(model, 'continue');
    expect([got.text, got.finish, got.error?.code]).toEqual(['Thirty ', undefined, 'upstream_error']);
    expect(counts.get(`${model}/fallback`)).toBe(before);
  });
});
