import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { within } from '#kit/base/within.ts';
import { ProviderError } from '../error.ts';
import { connectionError, filterCode, isFiltered, readFailure, toProviderError } from '../error-from-wire.ts';
import { inBatches } from '../event-batches.ts';
import type { LlmCapabilities, LlmProvider, ProviderEvent, ProviderRequest } from '../llm-provider.ts';
import type { ChatDialect } from './chat-completions-dialect.ts';
import { toChatBody } from './chat-completions-request.ts';
import { type ChatChunk, type ChunkReader, createChunkReader } from './chat-completions-stream.ts';
import { createServerSentEventReader, type ServerSentEvent } from './sse.ts';

/** The endpoint of a provider's chat completions. */
export interface ChatEndpoint {
  /** Requests a completion, and returns a response with a success status. Throws a ProviderError, or the network's error. */
  send(body: { model: string }, signal: AbortSignal): Promise<Response>;
  /** Returns the ids of the server's models. Throws the same errors as `send`. */
  listModels(signal: AbortSignal): Promise<string[]>;
}

/** Options of a provider of chat completions. */
export interface ChatCompletionsOptions {
  /** Name of the provider if `model` is empty. */
  name: string;
  /** The model at the provider; empty: the first generative one that the server lists. */
  model: string;
  endpoint: ChatEndpoint;
  dialect: ChatDialect;
  capabilities: LlmCapabilities;
}

/** Creates a provider that speaks a dialect of OpenAI's chat completions. */
export function createChatCompletions(options: ChatCompletionsOptions): LlmProvider {
  const { endpoint, dialect } = options;
  let model = options.model;
  const findModel = async (signal: AbortSignal): Promise<string> => {
    if (model === '') model = firstWriter(await endpoint.listModels(signal));
    return model;
  };
  async function* generate(request: ProviderRequest, signal: AbortSignal): AsyncGenerator<ProviderEvent[], void> {
    signal.throwIfAborted();
    try {
      const { body, warnings } = toChatBody(request, model === '' ? await findModel(signal) : model, dialect);
      const started: ProviderEvent = { kind: 'started', model: body.model, warnings };
      let response: Response;
      try {
        response = await endpoint.send(body, signal);
      } catch (error) {
        const filter = error instanceof ProviderError ? filterCode([error.code]) : undefined;
        if (filter === undefined) throw error;
        yield [started, { kind: 'end', outcome: Outcome.FILTERED, reason: filter }];
        return;
      }
      yield [started];
      yield* readResponse(response);
      signal.throwIfAborted();
    } catch (error) {
      signal.throwIfAborted();
      throw connectionError(error);
    }
  }
  return {
    name: options.model || options.name,
    capabilities: options.capabilities,
    generate: (request, signal) => inBatches(generate(request, signal)),
    close: async () => {},
  };
}

function firstWriter(ids: readonly string[]): string {
  const found = ids.find((id) => !/embed|rerank|bge|whisper/i.test(id));
  if (found !== undefined) return found;
  throw new ProviderError({
    remedy: 'elsewhere',
    kind: 'model-unknown',
    message: 'the server lists no model: set `model`',
  });
}

/** Yields the events of a response, in batches. A server that does not stream sends all of them in one piece. */
async function* readResponse(response: Response): AsyncGenerator<ProviderEvent[], void> {
  const type = response.headers.get('content-type') ?? '';
  if (response.body === null) return;
  const read = createChunkReader();
  if (/^application\/(?:[\w.+-]*\+)?json/i.test(type)) {
    const events: ProviderEvent[] = [];
    readPayload(await response.text(), read, events);
    yield events;
    return;
  }
  if (/^text\/html/i.test(type)) {
    await response.body.cancel();
    throw new ProviderError({
      remedy: 'elsewhere',
      kind: 'broken',
      status: response.status,
      message: 'the address answers with a web page instead of a completion: check the address',
    });
  }
  const pieces = createServerSentEventReader();
  const bytes = bytesOf(response.body);
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await bytes.next();
      isOver = done === true;
      const events: ProviderEvent[] = [];
      const last = readEvents(isOver ? pieces.end() : pieces.push(value as Uint8Array), isOver, read, events);
      // Events before a failure count.
      if (events.length > 0) yield events;
      if (last !== undefined && 'error' in last) throw last.error;
      if (last !== undefined) isOver = await drained(bytes);
      if (last !== undefined || isOver) return;
    }
  } finally {
    if (!isOver) await bytes.return?.().catch(ignoreBroken);
  }
}

/** The bytes of a body. `isOver`: all of them have arrived. */
type Bytes = AsyncIterator<Uint8Array> & { isOver?: boolean };

/** Returns the bytes of a body. undici returns a WHATWG stream after a redirect, which only its reader can cancel during a read. */
function bytesOf(body: NonNullable<Response['body']>): Bytes {
  if (!('getReader' in body)) return (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const reader = body.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array>>,
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

/** Ignores a failed cancel: the stream is abandoned in any case. */
function ignoreBroken(): undefined {}

/** Bounds of the wait for the end of a stream: time in milliseconds, and reads. */
const drainMs = 100;
const maxDrainReads = 16;

const late = Symbol('late');

/**
 * Reads the end of the stream after [DONE], so that the connection can be used again. Returns whether the stream is over. The wait and the
 * number of reads are bounded: a server may never end.
 */
async function drained(bytes: Bytes): Promise<boolean> {
  if (bytes.isOver === true) return true;
  const readToEnd = async () => {
    for (let count = 0; count < maxDrainReads; count++) {
      const { done } = await bytes.next();
      if (done === true) return true;
    }
    return false;
  };
  return within(readToEnd, { timeoutMs: drainMs, toTimeoutError: () => late }).catch((reason) => reason !== late);
}

/**
 * Reads server-sent events into `events`. Returns what ends the stream, [DONE] or a failure, so that the events before it are not lost.
 * `isLast`: the stream is over. An event without its blank line then counts if its JSON is complete; otherwise the stream was cut inside
 * of it, and has no end event.
 */
function readEvents(
  pieces: readonly ServerSentEvent[],
  isLast: boolean,
  read: ChunkReader,
  events: ProviderEvent[],
): { isDone: true } | { error: unknown } | undefined {
  try {
    for (const { event, data } of pieces) {
      if (data === '[DONE]') return { isDone: true };
      if (data === '' || (isLast && parsed(data) === undefined)) continue;
      if (event === 'error') readFailed(parsed(data), events);
      else readPayload(data, read, events);
    }
    return undefined;
  } catch (error) {
    return { error };
  }
}

function readPayload(text: string, read: ChunkReader, events: ProviderEvent[]): void {
  const payload = parsed(text);
  if (typeof payload !== 'object' || payload === null) {
    throw new ProviderError({
      remedy: 'retry',
      kind: 'broken',
      message: 'the provider sent data that is not a JSON object',
    });
  }
  const { error, choices, usage } = payload as ChatChunk & { error?: unknown };
  // A failure of the server instead of a chunk: {"error": …}, or flat {"code": …, "message": …}.
  if (error || (choices === undefined && usage === undefined && isFlatError(payload))) readFailed(payload, events);
  else read(payload as ChatChunk, events);
}

function isFlatError(payload: object): boolean {
  const { message, detail } = payload as { message?: unknown; detail?: unknown };
  return typeof message === 'string' || detail !== undefined;
}

/** Reads a failure inside a response: a content filter's becomes an outcome. Throws a ProviderError for all others. */
function readFailed(payload: unknown, events: ProviderEvent[]): void {
  const failure = readFailure(payload ?? '');
  if (!isFiltered(failure)) throw toProviderError(failure);
  events.push({ kind: 'end', outcome: Outcome.FILTERED, reason: filterCode(failure.codes) ?? '' });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
