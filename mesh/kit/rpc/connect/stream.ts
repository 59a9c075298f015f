import { type DescMessage, fromBinary, fromJsonString, type Message, toJsonString } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { endStreamFlag, endStreamToJson } from '@connectrpc/connect/protocol-connect';
import { cancelled, invalidArgument, tooLarge, toRpcError } from '../../base/errors.ts';
import { readBody } from '../../http/server/body.ts';
import { toHeaders } from '../../http/server/headers.ts';
import type { NodeRequest, NodeResponse } from '../../http/server/port.ts';
import { createSender } from '../../http/server/sender.ts';
import type { Invocable, MessageStream } from '../invoke.ts';
import { formOf, toBytes } from '../messages/shared-message.ts';
import { type RequestBounds, timeoutOf } from '../policy.ts';
import { ServerCall } from '../server-call.ts';
import type { JsonOptions } from './fast-lane.ts';
import { checkMessage } from './guarded-body.ts';
import type { ConnectLimits } from './limits.ts';
import { envelop, prefixLength } from './wire.ts';

/** How the streams are served. */
export interface ConnectStreamOptions {
  /** Runs before a body is read, and may identify the caller. Throws to refuse the call. */
  gate(call: ServerCall, request: NodeRequest): Promise<void>;
  limits: ConnectLimits;
  /** Bounds of the request message. */
  bounds: RequestBounds;
  jsonOptions: JsonOptions;
}

const formats = new Map([
  ['application/connect+proto', 'binary'],
  ['application/connect+json', 'json'],
] as const);

/**
 * Reports whether a request is a streamed call of the Connect protocol without compression, as browsers make it. Connect's own
 * handlers serve all other requests.
 */
export function isPlainConnectStream({ method, headers }: NodeRequest): boolean {
  return (
    method === 'POST' &&
    (formats as ReadonlyMap<string, string>).has(headers['content-type'] ?? '') &&
    headers['connect-content-encoding'] === undefined &&
    headers['connect-accept-encoding'] === undefined &&
    /^\d{0,10}$/.test((headers['connect-timeout-ms'] as string | undefined) ?? '')
  );
}

/**
 * Serves one such call directly: https://connectrpc.com/docs/protocol, "Streaming RPCs". Connect's handler passes each message
 * through six asynchronous generators, which would be most of the cost of a cached answer. Rejects if the connection is lost; an
 * error of the rpc is part of the response.
 */
export async function serveConnectStream(
  invocable: Invocable,
  request: NodeRequest,
  response: NodeResponse,
  { gate, limits, bounds, jsonOptions }: ConnectStreamOptions,
): Promise<void> {
  const { headers } = request;
  const { method } = invocable;
  const isJson = headers['content-type'] === 'application/connect+json';
  const form = isJson ? 'connect+json' : 'connect+proto';
  const toEnvelope = (message: Message) =>
    envelop(
      0,
      isJson ? Buffer.from(toJsonString(method.output, message, jsonOptions)) : toBytes(method.output, message),
    );
  const sender = createSender(response, limits);
  const timeout = headers['connect-timeout-ms'] as string | undefined;
  const call = new ServerCall({
    method,
    requestHeader: () => toHeaders(request),
    credentials: () => headers.authorization,
    timeoutMs: timeoutOf(method, timeout ? Number(timeout) : undefined),
  });
  response.once('close', () => {
    if (!response.writableEnded) call.abort(cancelled());
  });
  const writeHead = () => {
    const sent = call.sentHeader === undefined ? {} : Object.fromEntries(call.sentHeader);
    response.writeHead(200, { ...sent, 'content-type': headers['content-type'] as string });
  };
  let isBegun = false;
  let failure: ConnectError | undefined;
  let messages: MessageStream | undefined;
  try {
    if (call.aborted) throw call.reason;
    await call.settle(gate(call, request));
    const bytes = await call.settle(readMessage(request, limits, bounds));
    checkMessage(method.input, bytes, isJson, bounds);
    messages = invocable.stream(call, parse(method.input, bytes, isJson, jsonOptions));
    for (;;) {
      const result = await messages.next();
      if (result.done === true) {
        messages = undefined;
        break;
      }
      // Headers leave with the first message: until then, the handler may still set some.
      if (!isBegun) writeHead();
      isBegun = true;
      for (const message of [result.value, ...messages.takeReady()]) {
        const behind = sender.send(formOf(message, form, toEnvelope));
        if (behind !== undefined) await behind;
      }
    }
  } catch (thrown) {
    failure = thrown instanceof ConnectError ? thrown : toRpcError(thrown);
    // Without details, as Connect's own handlers report the deadline that the client set.
    if (failure === call.reason && failure.code === Code.DeadlineExceeded) {
      failure = new ConnectError(failure.rawMessage, failure.code);
    }
  } finally {
    // Not awaited: a handler that is stuck must not hold the connection.
    messages?.return?.()?.then(undefined, () => {});
    call.finish(failure);
  }
  if (!isBegun) writeHead();
  const trailer = call.sentTrailer;
  const end =
    failure === undefined && trailer === undefined
      ? emptyEnd
      : Buffer.from(JSON.stringify(endStreamToJson(trailer ?? new Headers(), failure, jsonOptions)));
  const behind = sender.send(envelop(endStreamFlag, end));
  if (behind !== undefined) await behind;
  await sender.end();
}

const emptyEnd = Buffer.from('{}');

// The one message of the request.
async function readMessage(
  request: NodeRequest,
  limits: ConnectLimits,
  { maxBytes }: RequestBounds,
): Promise<Uint8Array> {
  const limit = maxBytes + prefixLength;
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of readBody(request, { totalMs: limits.bodyTimeoutMs, silenceMs: limits.bodyTimeoutMs })) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > limit) throw tooLarge('the message', maxBytes);
  }
  const body = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, sizeBytes);
  if (body.length === 0) throw new ConnectError('protocol error: there is no message', Code.Unimplemented);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const length = body.length < prefixLength ? Number.POSITIVE_INFINITY : view.getUint32(1);
  if (length > maxBytes && length !== Number.POSITIVE_INFINITY) throw tooLarge('the message', maxBytes);
  if (body.length < prefixLength + length) {
    throw new ConnectError('protocol error: the message is not whole', Code.InvalidArgument);
  }
  // The protocol's code for a compressed message without a compression.
  if (body[0] === 1) throw new ConnectError('protocol error: a compressed message without compression', Code.Internal);
  if (body[0] !== 0) throw invalidArgument(`protocol error: flags ${body[0]}`);
  if (body.length > prefixLength + length) {
    throw new ConnectError('protocol error: there is more than one message', Code.Unimplemented);
  }
  return body.subarray(prefixLength);
}

function parse(schema: DescMessage, bytes: Uint8Array, isJson: boolean, jsonOptions: JsonOptions): Message {
  try {
    return isJson
      ? fromJsonString(schema, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(), {
          ignoreUnknownFields: true,
          ...jsonOptions,
        })
      : fromBinary(schema, bytes);
  } catch (error) {
    throw ConnectError.from(error, Code.InvalidArgument);
  }
}
