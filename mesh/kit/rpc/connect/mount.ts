import type { DescMethod, Message } from '@bufbuild/protobuf';
import {
  Code,
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect';
import {
  createAsyncIterable,
  type UniversalHandler,
  type UniversalServerRequest,
  type UniversalServerResponse,
} from '@connectrpc/connect/protocol';
import { internal } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { type BodyTimeouts, readBody } from '../../http/server/body.ts';
import { copyHeaders, toHeaders } from '../../http/server/headers.ts';
import type { NodeRequest, NodeResponse } from '../../http/server/port.ts';
import { createSender, cut, isGone, type Sender } from '../../http/server/sender.ts';
import { workFor } from '../../http/server/work.ts';
import type { Invocable } from '../invoke.ts';
import { type RequestBounds, timeoutOf } from '../policy.ts';
import { ServerCall } from '../server-call.ts';
import { compressions } from './compression.ts';
import { type JsonOptions, throughLane } from './fast-lane.ts';
import { guardBody } from './guarded-body.ts';
import type { ConnectLimits } from './limits.ts';
import { type ConnectStreamOptions, isPlainConnectStream, serveConnectStream } from './stream.ts';
import { readUnaryGet } from './unary-get.ts';

/** Rpcs over HTTP. */
export interface ConnectMount {
  /** Reports whether a path is that of an rpc. */
  serves(path: string): boolean;
  /** Serves a request to such a path. Never rejects. */
  handle(path: string, request: NodeRequest, response: NodeResponse): Promise<void>;
}

/** What is served, and within which bounds. */
export interface ConnectMountOptions {
  methods: Iterable<Invocable>;
  /** Runs before a body is read, and may identify the caller. Throws to refuse the call. */
  gate(call: ServerCall, request: NodeRequest): Promise<void>;
  limits: ConnectLimits;
  /** Returns the bounds of a request message. */
  boundsOf(method: DescMethod): RequestBounds;
  log: Logger;
  jsonOptions?: JsonOptions;
}

/** What one request brings to Connect's handlers. */
interface Served {
  request: NodeRequest;
  sender: Sender;
  /** Set by the gate. */
  call?: ServerCall;
}

const servedKey = createContextKey<Served | undefined>(undefined, { description: 'served request' });

/**
 * Mounts methods on HTTP: Connect, gRPC-Web and gRPC, with Connect's own protocol handlers. The code between them and Node replaces
 * `connectNodeAdapter`: a refused body does not cut the connection before the refusal is sent, a request with an invalid host does
 * not throw into the event loop, messages that are ready together leave in one write, and the connection of a client that reads
 * nothing is cut.
 */
export function mountConnect(options: ConnectMountOptions): ConnectMount {
  const { gate, limits, boundsOf, log, jsonOptions = {} } = options;
  const router = createConnectRouter({
    acceptCompression: compressions,
    compressMinBytes: limits.compressMinBytes,
    readMaxBytes: limits.maxMessageBytes,
    requestGate: (context) => admit(context, gate),
    jsonOptions,
  });
  const streams = new Map<string, Invocable>();
  for (const invocable of options.methods) {
    const { method } = invocable;
    if (method.methodKind === 'server_streaming') streams.set(`/${method.parent.typeName}/${method.name}`, invocable);
    addRoute(router, invocable, limits, jsonOptions);
  }
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    serves: (path) => handlers.has(path),
    async handle(path, request, response) {
      const streamed = streams.get(path);
      try {
        if (streamed !== undefined && isPlainConnectStream(request)) {
          const streamOptions: ConnectStreamOptions = { gate, limits, bounds: boundsOf(streamed.method), jsonOptions };
          await serveConnectStream(streamed, request, response, streamOptions);
          return;
        }
        const handler = handlers.get(path);
        if (handler === undefined) throw new Error(`${path} is not the path of an rpc`);
        const sender = createSender(response, limits);
        const universal = toUniversalRequest(handler, request, response, boundsOf(handler.method), { limits, sender });
        await respond(explain(await handler(universal), handler.method), response, sender);
      } catch (error) {
        // An error of the rpc itself is part of the response; this is one of the connection, or a bug.
        if (error instanceof URIError && !response.headersSent) return refuseText(request, response);
        if (!isGone(response)) {
          log.warn({ event: 'response_failed', rpc: path, err: error }, 'response failed');
          cut(response);
        }
      }
    },
  };
}

// Connect's handlers run the gate first, so the call begins here.
async function admit(context: HandlerContext, gate: ConnectMountOptions['gate']): Promise<void> {
  const served = servedOf(context);
  const call = openCall(context);
  served.call = call;
  try {
    if (call.aborted) throw call.reason;
    await call.settle(gate(call, served.request));
  } catch (error) {
    copyHeaders(call.sentHeader, context.responseHeader);
    call.finish(error);
    throw error;
  }
}

/** Time after the caller's deadline before the call is aborted here, in milliseconds: Connect's own timer comes first. */
const deadlineGraceMs = 100;

function openCall(context: HandlerContext): ServerCall {
  const { method, signal, requestHeader } = context;
  const callerMs = context.timeoutMs();
  const timeoutMs = timeoutOf(method, callerMs);
  const call = new ServerCall({
    method,
    requestHeader: () => requestHeader,
    credentials: () => requestHeader.get('authorization') ?? undefined,
    timeoutMs,
    graceMs: timeoutMs === callerMs ? deadlineGraceMs : 0,
  });
  // Connect aborts its signal at the end of every call.
  const onAbort = () => call.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return call;
}

function servedOf(context: HandlerContext): Served {
  const served = context.values.get(servedKey);
  if (served === undefined) throw internal(new Error(`${context.method.name} was called without its request`));
  return served;
}

function callOf(context: HandlerContext): ServerCall {
  const { call } = servedOf(context);
  if (call === undefined) throw internal(new Error(`${context.method.name} was called before its gate`));
  return call;
}

type ConnectHandler = (input: never, context: HandlerContext) => Promise<Message> | AsyncIterable<Message>;

function addRoute(router: ConnectRouter, invocable: Invocable, limits: ConnectLimits, jsonOptions: JsonOptions): void {
  const { method } = invocable;
  const lane = { schema: method.output, compressMinBytes: limits.compressMinBytes, jsonOptions };
  // Connect's types of a method that is known at run time only admit no handler.
  const add = (handler: ConnectHandler) => router.rpc(method as never, handler as never);
  switch (method.methodKind) {
    case 'unary':
      add((input, context) => answer(context, (call) => invocable.unary(call, input)));
      return;
    case 'client_streaming':
      add((input, context) => answer(context, (call) => lastOf(invocable.stream(call, input))));
      return;
    case 'server_streaming':
      add((input, context) => {
        const { sender } = servedOf(context);
        const call = callOf(context);
        return throughLane(invocable.stream(call, input), call, context, { ...lane, sender });
      });
      return;
    case 'bidi_streaming':
      add((input, context) => {
        const call = callOf(context);
        return throughLane(invocable.stream(call, input), call, context, { ...lane, sender: undefined });
      });
      return;
    default:
      throw new Error(`unknown kind of method ${(method as DescMethod).name}`);
  }
}

async function answer(context: HandlerContext, run: (call: ServerCall) => Promise<Message>): Promise<Message> {
  const call = callOf(context);
  try {
    return await run(call);
  } finally {
    copyHeaders(call.sentHeader, context.responseHeader);
    copyHeaders(call.sentTrailer, context.responseTrailer);
  }
}

async function lastOf(messages: AsyncIterable<Message>): Promise<Message> {
  let last: Message | undefined;
  for await (const message of messages) last = message;
  if (last === undefined) throw internal(new Error('a handler returned no message'));
  return last;
}

function timeoutsOf({ method }: UniversalHandler, limits: ConnectLimits): BodyTimeouts {
  const isUpload = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  return isUpload
    ? { silenceMs: limits.uploadIdleTimeoutMs }
    : { silenceMs: limits.bodyTimeoutMs, totalMs: limits.bodyTimeoutMs };
}

// Connect repeats what it could not read as JSON, cut in the middle of a character, and then cannot encode its own message.
function refuseText(request: NodeRequest, response: NodeResponse): void {
  const message = encodeURIComponent('the message is not the JSON of its type');
  const type = String(request.headers['content-type'] ?? 'application/grpc+json');
  response.writeHead(200, {
    'content-type': type,
    'grpc-status': String(Code.InvalidArgument),
    'grpc-message': message,
  });
  response.end();
}

// A body for the refusal of a content type, which Connect's handlers leave empty. Plain JSON is what people try first.
function explain(universal: UniversalServerResponse, { name, methodKind }: DescMethod): UniversalServerResponse {
  if (universal.status !== 415 || universal.body !== undefined) return universal;
  const types =
    methodKind === 'unary'
      ? 'application/json or application/proto (Connect)'
      : 'application/connect+json or application/connect+proto (Connect, each message in an envelope of 5 bytes)';
  const text = `${name} takes the content types ${types}, application/grpc-web and application/grpc: https://connectrpc.com/docs/protocol\n`;
  const header = new Headers(universal.header);
  header.set('content-type', 'text/plain; charset=utf-8');
  return { ...universal, header, body: createAsyncIterable([Buffer.from(text)]) };
}

async function respond(universal: UniversalServerResponse, response: NodeResponse, sender: Sender): Promise<void> {
  const iterator = universal.body?.[Symbol.asyncIterator]();
  try {
    // Headers leave with the first bytes: until then, the handler may still set some.
    let chunk = await iterator?.next();
    response.writeHead(universal.status, nodeHeaders(universal.header));
    while (iterator !== undefined && chunk?.done === false) {
      const behind = sender.send(chunk.value);
      if (behind !== undefined) await behind;
      chunk = await iterator.next();
    }
    if (universal.trailer !== undefined) response.addTrailers(nodeHeaders(universal.trailer));
    await sender.end();
  } catch (error) {
    // Passes the reason to Connect's handler, which ends the call.
    iterator?.throw?.(error).catch(() => {});
    throw error;
  } finally {
    iterator?.return?.().catch(() => {});
  }
}

function toUniversalRequest(
  handler: UniversalHandler,
  request: NodeRequest,
  response: NodeResponse,
  bounds: RequestBounds,
  { limits, sender }: { limits: ConnectLimits; sender: Sender },
): UniversalServerRequest {
  const { method } = handler;
  const sent = toHeaders(request);
  const get = readUnaryGet(method, request.method, request.url ?? '', sent);
  const { header, body } = get ?? { header: sent, body: readBody(request, timeoutsOf(handler, limits)) };
  return {
    httpVersion: request.httpVersion,
    method: get === undefined ? (request.method ?? '') : 'POST',
    url: `http://${request.authority || request.headers.host}${request.url}`,
    header,
    body: guardBody(method, header, body, bounds),
    signal: workFor(response).signal,
    contextValues: createContextValues().set(servedKey, { request, sender }),
  };
}

function nodeHeaders(headers: HeadersInit | undefined): Record<string, string> {
  if (headers === undefined) return {};
  const given = Object.fromEntries(headers instanceof Headers ? headers : new Headers(headers));
  // Connect's own errors repeat what they could not read. HTTP/2 ends the connection, with all calls on it, if a block of headers is too long.
  const message = given['grpc-message'];
  if (message === undefined || message.length <= maxStatusLength) return given;
  const { 'grpc-status-details-bin': details = '', ...others } = given;
  const cut = encodeURIComponent(decodeURIComponent(message).slice(0, maxMessageLength).toWellFormed());
  return {
    ...others,
    'grpc-message': cut,
    ...(details.length <= maxStatusLength && { 'grpc-status-details-bin': details }),
  };
}

/** Longest message of an error of gRPC that is sent as it is, encoded. */
const maxStatusLength = 8000;
/** What is left of a longer one, in characters. */
const maxMessageLength = 500;
