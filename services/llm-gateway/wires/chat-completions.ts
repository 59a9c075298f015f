import { Outcome } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import type { LlmCapabilities, LlmProvider, ProviderEvent, ProviderRequest } from '../llm-provider.ts';
import { ProviderError } from '../provider-error.ts';
import { connectionError, filterCode, isFiltered, readFailure, toProviderError } from '../provider-errors.ts';
import type { ChatDialect } from './chat-completions-dialect.ts';
import { toChatBody } from './chat-completions-request.ts';
import { type ChatChunk, createChunkReader } from './chat-completions-stream.ts';
import { createServerSentEventReader, type ServerSentEvent } from './sse.ts';

/** Where a provider's chat completions are. */
export interface ChatEndpoint {
  /** Asks for a completion; the reply, whose status is a success. Throws a ProviderError, or whatever the network threw. */
  send(body: { model: string }, signal: AbortSignal): Promise<Response>;
  /** Ids of the models that the server has. Throws as `send` does. */
  listModels(signal: AbortSignal): Promise<string[]>;
}

/** What makes a provider of chat completions. */
export interface ChatCompletionsOptions {
  /** Name where `model` is empty. */
  name: string;
  /** The model at the provider; empty: the first one that writes of those that the server lists. */
  model: string;
  endpoint: ChatEndpoint;
  dialect: ChatDialect;
  capabilities: LlmCapabilities;
}

/** A provider that speaks OpenAI's chat completions, in some dialect. */
export function createChatCompletions(options: ChatCompletionsOptions): LlmProvider {
  const { endpoint, dialect } = options;
  let model = options.model;
  const findModel = async (signal: AbortSignal): Promise<string> => {
    if (model === '') model = firstWriter(await endpoint.listModels(signal));
    return model;
  };
  return {
    name: options.model || options.name,
    capabilities: options.capabilities,
    async *generate(request: ProviderRequest, signal: AbortSignal): AsyncIterable<ProviderEvent> {
      signal.throwIfAborted();
      try {
        const { body, warnings } = toChatBody(request, await findModel(signal), dialect);
        let response: Response;
        try {
          response = await endpoint.send(body, signal);
        } catch (error) {
          const filter = error instanceof ProviderError ? filterCode([error.code]) : undefined;
          if (filter === undefined) throw error;
          yield { kind: 'started', model: body.model, warnings };
          yield { kind: 'end', outcome: Outcome.FILTERED, reason: filter };
          return;
        }
        yield { kind: 'started', model: body.model, warnings };
        yield* readReply(response);
        signal.throwIfAborted();
      } catch (error) {
        signal.throwIfAborted();
        throw connectionError(error);
      }
    },
    close: async () => {},
  };
}

function firstWriter(ids: readonly string[]): string {
  const found = ids.find((id) => !/embed|rerank|bge|whisper/i.test(id));
  if (found !== undefined) return found;
  throw new ProviderError({
    remedy: 'elsewhere',
    kind: 'model-unknown',
    message: 'the server lists no model: set one',
  });
}

/** The events of a reply, streamed or, where the server does not stream, in one piece. */
async function* readReply(response: Response): AsyncIterable<ProviderEvent> {
  const type = response.headers.get('content-type') ?? '';
  if (response.body === null) return;
  const read = createChunkReader();
  if (/^application\/(?:[\w.+-]*\+)?json/i.test(type)) {
    yield* readPayload(await response.text(), read);
    return;
  }
  if (/^text\/html/i.test(type)) {
    await response.body.cancel();
    throw new ProviderError({
      remedy: 'elsewhere',
      kind: 'broken',
      status: response.status,
      message: 'the address answers with a web page, not with a completion: check it',
    });
  }
  const events = createServerSentEventReader();
  const reader = response.body.getReader();
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isOver = done;
      for (const event of done ? events.end() : events.push(value)) {
        if (event.data === '[DONE]') {
          isOver = await drained(reader);
          return;
        }
        yield* done ? readLastEvent(event, read) : readEvent(event, read);
      }
      if (done) return;
    }
  } finally {
    if (!isOver) await reader.cancel().catch(ignoreBroken);
    reader.releaseLock();
  }
}

/** The stream is given up; that it could not even be cancelled changes nothing. */
function ignoreBroken(): void {}

const drainMs = 100;

/** Reads what follows [DONE], which is nothing but the end, so that the connection can be used again. Bounded: a server may never end. */
async function drained(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<{ done: boolean }>((resolve) => {
    timer = setTimeout(() => resolve({ done: false }), drainMs);
  });
  try {
    for (let count = 0; count < 16; count++) {
      const next = reader.read().catch(() => ({ done: true }));
      if ((await Promise.race([next, late])).done) return true;
    }
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function* readEvent(
  { event, data }: ServerSentEvent,
  read: ReturnType<typeof createChunkReader>,
): Iterable<ProviderEvent> {
  if (data === '') return;
  if (event === 'error') yield* readFailed(parsed(data));
  else yield* readPayload(data, read);
}

/** An event that its blank line is missing from counts where it is whole; else the stream was cut inside it, and ends without an end. */
function* readLastEvent(event: ServerSentEvent, read: ReturnType<typeof createChunkReader>): Iterable<ProviderEvent> {
  if (parsed(event.data) !== undefined) yield* readEvent(event, read);
}

function* readPayload(text: string, read: ReturnType<typeof createChunkReader>): Iterable<ProviderEvent> {
  const payload = parsed(text);
  if (typeof payload !== 'object' || payload === null) {
    throw new ProviderError({
      remedy: 'retry',
      kind: 'broken',
      message: 'the provider sent something that is no JSON object',
    });
  }
  const { error, choices, usage } = payload as ChatChunk & { error?: unknown };
  // A server's own failure in the place of a chunk: {"error": …}, or flat {"code": …, "message": …}.
  if (error || (choices === undefined && usage === undefined && isFlatError(payload))) yield* readFailed(payload);
  else yield* read(payload as ChatChunk);
}

function isFlatError(payload: object): boolean {
  const { message, detail } = payload as { message?: unknown; detail?: unknown };
  return typeof message === 'string' || detail !== undefined;
}

/** A failure inside a reply: an outcome where it is a content filter's, else an error. */
function* readFailed(payload: unknown): Iterable<ProviderEvent> {
  const failure = readFailure(payload ?? '');
  if (!isFiltered(failure)) throw toProviderError(failure);
  yield { kind: 'end', outcome: Outcome.FILTERED, reason: filterCode(failure.codes) ?? '' };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
