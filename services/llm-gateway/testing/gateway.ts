import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions } from '@connectrpc/connect';
import { vi } from 'vitest';
import { AuditService, type RecordUsageRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { LLMGatewayConfigSchema, LLMModelConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import {
  type GenerateDone,
  type GenerateRequestSchema,
  type GenerateResponse,
  LLMGatewayService,
  MessageRole,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { llmGateway } from '../index.ts';

/** Waits until `check` passes; long enough for a busy machine. */
export const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 15_000, interval: 10 });

/** A ledger in the place of audit: takes each request id once. */
export function createAuditStandIn() {
  const entries = new Map<string, RecordUsageRequest>();
  const record = (request: RecordUsageRequest) => {
    const isNew = !entries.has(request.requestId);
    if (isNew) entries.set(request.requestId, request);
    return isNew;
  };
  const service = defineService({
    name: 'audit',
    contracts: [AuditService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        recordUsage: (request) => ({ recorded: record(request) }),
        recordAllUsage: ({ requests }) => ({ recorded: requests.map(record) }),
      },
      close: async () => {},
    }),
  });
  return { service, entries };
}

/** The gateway behind its rpc, with a ledger beside it. */
export interface TestGateway extends AsyncDisposable {
  mesh: TestMesh;
  /** What the ledger has taken, by request id. */
  entries: Map<string, RecordUsageRequest>;
  /** Runs a request to its end. */
  ask(request?: Asked, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<GenerateResponse[]>;
  /** A stream, as it comes. */
  stream(request: Asked, options: CallOptions): AsyncIterable<GenerateResponse>;
  /** The value of a metric's line: `ragmesh_llm_attempt_total{…}`; 0: none. */
  metric(line: string): Promise<number>;
}

/** A request. */
export type Asked = MessageInitShape<typeof GenerateRequestSchema>;

/** A question of a user. */
export const plainQuestion = { role: MessageRole.USER, text: 'How long does a refund to a credit card take?' };

/** Starts a gateway. */
export async function startTestGateway(
  llm: MessageInitShape<typeof LLMGatewayConfigSchema>,
  options: Omit<NonNullable<Parameters<typeof startTestMesh>[1]>, 'config'> = {},
): Promise<TestGateway> {
  const audit = createAuditStandIn();
  const mesh = await startTestMesh([audit.service, llmGateway], {
    random: () => 0,
    ...options,
    config: { llmGateway: llm },
  });
  const client = mesh.client(LLMGatewayService);
  const stream = (request: Asked, callOptions: CallOptions) =>
    client.generate({ messages: [plainQuestion], ...request }, callOptions);
  return {
    mesh,
    entries: audit.entries,
    stream,
    ask: async (request = {}, callOptions = {}) => collect(stream(request, await mesh.as(undefined, callOptions))),
    async metric(line) {
      const found = (await mesh.host.metrics.registry.metrics()).split('\n').find((one) => one.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1) ?? 0);
    },
    [Symbol.asyncDispose]: () => mesh.close(),
  };
}

/** A model at a fake provider, with short clocks. */
export function modelAt(
  url: string,
  name = 'gpt',
  init: MessageInitShape<typeof LLMModelConfigSchema> = {},
): MessageInitShape<typeof LLMModelConfigSchema> {
  return {
    name,
    adapter: 'openai-compatible',
    ...init,
    settings: { base_url: url, model: `${name}-at-provider`, ...init.settings },
  };
}

/** Kinds of the messages, in order. */
export const casesOf = (responses: readonly GenerateResponse[]) => responses.map(({ event }) => event.case);

/** Returns the final text of the reader, without text before a reset. */
export function textOf(responses: readonly GenerateResponse[]): string {
  let text = '';
  for (const { event } of responses) {
    if (event.case === 'reset') text = '';
    if (event.case === 'textDelta') text += event.value.text;
  }
  return text;
}

/** Returns the end; throws if there is none. */
export function doneOf(responses: readonly GenerateResponse[]): GenerateDone {
  const last = responses.at(-1)?.event;
  if (last?.case !== 'done') throw new Error(`the stream ended with ${last?.case}`);
  return last.value;
}

/** Usage messages. */
export function usagesOf(responses: readonly GenerateResponse[]): TokenUsage[] {
  return responses.flatMap(({ event }) => (event.case === 'usage' ? [event.value] : []));
}
