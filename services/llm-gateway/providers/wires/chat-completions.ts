import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { within } from '#kit/base/within.ts';
import { ProviderError } from '../error.ts';
import { connectionError, filterCode, isFiltered, readFailure, toProviderError } from '../error-from-wire.ts';
import { inBatches } from '../event-batches.ts';
import type { LlmCapabilities, LlmProvider, ProviderEvent, ProviderRequest } from '../llm-provider.ts';
import type { ChatDialect } from './chat-completions-dialect.ts';
import { toChatBody } from './chat-completions-request.ts';
import { type ChatChunk, type ChunkReader, createChunkReader } from './chat-completions-stream.ts';
import { createServerSentEventReader } from './sse.ts';
import { createTextFrames } from './text-frames.ts';

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
  /** Sends a request. Returns its first events, and the response; `undefined`: a content filter refused the request. */
  const send = async (request: ProviderRequest, signal: AbortSignal): Promise<Head> => {
    signal.throwIfAborted();
    const { body, warnings } = toChatBody(request, model === '' ? await findModel(signal) : model, dialect);
    const started: ProviderEvent = { kind: 'started', model: body.model, warnings };
    try {
      return { events: [started], response: await endpoint.send(body, signal) };
    } catch (error) {
      const filter = error instanceof ProviderError ? filterCode([error.code]) : undefined;
      if (filter === undefined) throw error;
      return { events: [started, { kind: 'end', outcome: Outcome.FILTERED, reason: filter }], response: undefined };
    }
  };
  return {
    name: options.model || options.name,
    capabilities: { ...options.capabilities, whole: dialect.streamsOnly !== true },
    generate: (request, signal) => inBatches(readReply((given) => send(request, given), signal)),
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

/** The head of a reply: its events, and the response with the rest of it. */
interface Head {
  events: ProviderEvent[];
  response: Response | undefined;
}

/**
 * Returns the events of a reply, in batches. The first byte of its body says what it is: servers and proxies label whole completions as
 * text or as events, and events as JSON. A server that does not stream sends all events in one piece. Not a generator: generators around
 * one another need several times as many promises.
 */
function readReply(
  send: (signal: AbortSignal) => Promise<Head>,
  signal: AbortSignal,
): AsyncIterator<ProviderEvent[], void> {
  let response: Response | undefined;
  let isSent = false;
  let rest: AsyncIterator<ProviderEvent[], void> | undefined;
  const read = async (): Promise<IteratorResult<ProviderEvent[], void>> => {
    if (!isSent) {
      isSent = true;
      const head = await send(signal);
      response = head.response;
      return { done: false, value: head.events };
    }
    if (rest !== undefined) return rest.next();
    const { body, status } = response ?? { body: null, status: 0 };
    response = undefined;
    if (body === null) return over;
    const bytes = bytesOf(body);
    try {
      const first = await firstOf(bytes);
      if (first === undefined) return over;
      if (first[0] === lessThan) throw webPage(status);
      if (first[0] !== openBrace && first[0] !== openBracket) {
        rest = readStream(first, bytes);
        return rest.next();
      }
      const text = await restOf(first, bytes);
      return { done: false, value: wholeEvents(text) };
    } catch (error) {
      await bytes.return?.().catch(ignoreBroken);
      throw error;
    }
  };
  const failed = (error: unknown): never => {
    signal.throwIfAborted();
    throw connectionError(error);
  };
  const checked = (result: IteratorResult<ProviderEvent[], void>) => {
    if (result.done === true) signal.throwIfAborted();
    return result;
  };
  return {
    next: () => read().then(checked).catch(failed),
    async return() {
      await rest?.return?.();
      await response?.body?.cancel();
      response = undefined;
      return over;
    },
  };
}

const over = { done: true as const, value: undefined };

/** Returns the events of a whole completion. */
function wholeEvents(text: string): ProviderEvent[] {
  const events: ProviderEvent[] = [];
  readPayload(text, createChunkReader(), events);
  return events;
}

/** Yields the events of a stream that begins with `first`, in batches. */
async function* readStream(first: Uint8Array, bytes: Bytes): AsyncGenerator<ProviderEvent[], void> {
  const stream = createStreamReader();
  let isOver = false;
  let piece: Uint8Array | undefined = first;
  try {
    for (;;) {
      const { events, isDone, failure } = stream.read(piece);
      // Events before a failure count.
      if (events.length > 0) yield events;
      if (failure !== undefined) throw failure.error;
      if (isDone) isOver = await drained(bytes);
      if (isDone || isOver) return;
      const { done, value } = await bytes.next();
      isOver = done === true;
      piece = isOver ? undefined : (value as Uint8Array);
    }
  } finally {
    if (!isOver) await bytes.return?.().catch(ignoreBroken);
  }
}

const openBrace = 0x7b;
const openBracket = 0x5b;
const lessThan = 0x3c;
/** Tab, line feed, carriage return, space, and the bytes of a byte order mark. */
const blanks: ReadonlySet<number | undefined> = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);

/** Returns the bytes from the first one that is not blank; `undefined`: there are none. Some servers send blank lines while they work. */
async function firstOf(bytes: Bytes): Promise<Uint8Array | undefined> {
  for (;;) {
    const { done, value } = await bytes.next();
    if (done === true) return undefined;
    const piece = value as Uint8Array;
    let at = 0;
    while (at < piece.length && blanks.has(piece[at])) at++;
    if (at < piece.length) return at === 0 ? piece : piece.subarray(at);
  }
}

/** Longest completion in one piece, in bytes. */
const maxWholeBytes = 64 << 20;

/** Returns the text of the rest of a body that begins with `first`. */
async function restOf(first: Uint8Array, bytes: Bytes): Promise<string> {
  const parts = [first];
  let length = first.length;
  for (;;) {
    const { done, value } = await bytes.next();
    if (done === true) return Buffer.concat(parts).toString();
    parts.push(value as Uint8Array);
    length += (value as Uint8Array).length;
    if (length > maxWholeBytes) throw new RangeError(`the completion is longer than ${maxWholeBytes} bytes`);
  }
}

function webPage(status: number): ProviderError {
  return new ProviderError({
    remedy: 'elsewhere',
    kind: 'broken',
    status,
    message: 'the address answers with a web page instead of a completion: check the address',
  });
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

/** What a piece of a stream contains. `isDone`: [DONE] was in it. `failure`: what ends the stream, after the events. */
interface StreamPiece {
  events: ProviderEvent[];
  isDone: boolean;
  failure: { error: unknown } | undefined;
}

/** Creates a reader of a stream of chunks as server-sent events. */
function createStreamReader(): { read(piece: Uint8Array | undefined): StreamPiece } {
  const chunks = createChunkReader();
  const frames = createTextFrames();
  let events: ProviderEvent[] = [];
  let isDone = false;
  let isLast = false;
  const pieces = createServerSentEventReader({
    scan: (text, at) => (isDone || chunks.hasEnded ? at : frames.scan(text, at, events)),
    onEvent({ event, data }) {
      if (isDone) return;
      if (data === '[DONE]') {
        isDone = true;
        return chunks.done(events);
      }
      if (data === '' || (isLast && parsed(data) === undefined)) return;
      if (event === 'error') return readFailed(parsed(data), events);
      const count = events.length;
      const chunk = readPayload(data, chunks, events);
      const read = events[count];
      const isWords = events.length === count + 1 && (read?.kind === 'text' || read?.kind === 'reasoning');
      if (isWords && chunk !== undefined && event === '') frames.learn(data, chunk, read);
    },
  });
  return {
    /**
     * Reads a piece; `undefined`: the stream is over. An event without its blank line then counts if its JSON is complete; otherwise the
     * stream was cut inside of it, and has no end event.
     */
    read(piece) {
      events = [];
      isLast = piece === undefined;
      try {
        if (piece === undefined) pieces.end();
        else pieces.push(piece);
        return { events, isDone, failure: undefined };
      } catch (error) {
        return { events, isDone, failure: { error } };
      }
    },
  };
}

/** Reads a chunk, or a whole completion, into `events`. Returns a chunk; `undefined`: it was a failure. Throws a ProviderError for others. */
function readPayload(text: string, reader: ChunkReader, events: ProviderEvent[]): ChatChunk | undefined {
  const value = parsed(text);
  // Google sends a list of one error.
  const payload: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof payload !== 'object' || payload === null) {
    throw new ProviderError({
      remedy: 'retry',
      kind: 'broken',
      message: 'the provider sent data that is not a JSON object',
    });
  }
  const { error, choices, usage } = payload as ChatChunk & { error?: unknown };
  // A failure of the server instead of a chunk: {"error": …}, or flat {"code": …, "message": …}.
  if (error || (choices === undefined && usage === undefined && isFlatError(payload))) {
    readFailed(payload, events);
    return undefined;
  }
  reader.read(payload as ChatChunk, events);
  return payload as ChatChunk;
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
