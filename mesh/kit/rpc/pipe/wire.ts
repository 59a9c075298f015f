import { fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { StatusSchema } from '#gen/google/rpc/status_pb.ts';
import { internal, tooLarge } from '../../base/errors.ts';
import { copyHeaders } from '../../http/server/headers.ts';
import { toBytes } from '../messages/shared-message.ts';
import { fromStatus, toStatus } from '../status.ts';

// What two processes of a group say to each other over a socket. Both are the same version of the program.

/** Kinds of frames. A frame belongs to one call; the client chooses its number. */
export const FrameKind = {
  /** A call begins; its one message is here. Client to server. */
  OPEN: 1,
  /** A call begins; its messages follow. Client to server. */
  OPEN_STREAM: 2,
  /** The client does not wait for the call any more. */
  CANCEL: 3,
  /** A message, in both directions. */
  MESSAGE: 4,
  /** Cost of messages that the peer may send more, in both directions. */
  CREDIT: 5,
  /** The end: of the client's messages; of the server's, with the trailers if there are any. */
  END: 6,
  /** Headers of the response, before its first message. Server to client. */
  HEAD: 7,
  /** The only message of the response, and its end. Server to client. */
  REPLY: 8,
  /** The call failed. Server to client. */
  FAIL: 9,
  /** A call of a method of a port, and its result or error. */
  PORT_CALL: 10,
  PORT_RESULT: 11,
  PORT_ERROR: 12,
} as const;

/** Cost of messages, in bytes, by which a sender may be ahead of the consumer of its call; one message may exceed it. */
export const windowBytes = 256 * 1024;

/** Returns the largest frame of a connection, in bytes: a message with its head, or the result of a port. */
export function maxFrameBytesFor(maxMessageBytes: number): number {
  return Math.max(maxMessageBytes, 16 << 20) + 64 * 1024;
}

type Pairs = readonly (readonly [string, string])[];

/** The head of a call. */
export interface CallHead {
  /** "ragmesh.chat.v1.ChatService/Ask". */
  name: string;
  /** Time left, in milliseconds; `undefined`: no deadline. */
  timeoutMs: number | undefined;
  headers: Pairs;
}

const lengthBytes = 4;

/** Returns headers as a frame has them; without any, no bytes. */
export function encodeHeaders(headers: Headers | undefined): Uint8Array {
  return headers === undefined ? empty : Buffer.from(JSON.stringify([...headers]));
}

/** Returns the headers of {@link encodeHeaders}. */
export function decodeHeaders(bytes: Uint8Array): Headers {
  return bytes.length === 0 ? new Headers() : new Headers(JSON.parse(bytes.toString()) as [string, string][]);
}

/** No bytes. */
export const empty: Uint8Array = Buffer.alloc(0);

/** Returns the payload of a frame that opens a call. */
export function encodeOpen({ name, timeoutMs, headers }: CallHead, message: Uint8Array): Uint8Array {
  return joinParts(JSON.stringify([name, timeoutMs ?? null, headers]), message);
}

/** Returns the head of a call, and its message. */
export function decodeOpen(payload: Buffer): { head: CallHead; message: Buffer } {
  const { text, rest } = splitParts(payload);
  const [name, timeoutMs, headers] = JSON.parse(text) as [string, number | null, Pairs];
  return { head: { name, timeoutMs: timeoutMs ?? undefined, headers }, message: rest };
}

/** Returns an error as a frame has it, with the headers and trailers of its call. */
export function encodeFailure(error: ConnectError, header: Headers | undefined, trailer: Headers | undefined) {
  const metadata = new Headers(header);
  copyHeaders(error.metadata, metadata);
  copyHeaders(trailer, metadata);
  return joinParts(JSON.stringify([...metadata]), toBinary(StatusSchema, toStatus(error)));
}

/** Returns the error of {@link encodeFailure}. */
export function decodeFailure(payload: Buffer): ConnectError {
  const { text, rest } = splitParts(payload);
  return fromStatus(fromBinary(StatusSchema, rest), new Headers(JSON.parse(text) as [string, string][]));
}

/** Returns the bytes of a message. Throws RESOURCE_EXHAUSTED if they are more than `maxBytes`, and INTERNAL for an invalid message. */
export function encodeMessage(schema: Parameters<typeof toBytes>[0], message: Message, maxBytes: number): Uint8Array {
  const bytes = orInternal(() => toBytes(schema, message));
  if (bytes.length > maxBytes) throw tooLarge('the message', maxBytes);
  return bytes;
}

/** Returns the message of {@link encodeMessage}. */
export function decodeMessage(schema: Parameters<typeof toBytes>[0], bytes: Uint8Array): Message {
  return orInternal(() => fromBinary(schema, bytes));
}

/** Returns a count of bytes as a frame has it. */
export function encodeCredit(bytes: number): Uint8Array {
  const payload = Buffer.allocUnsafe(lengthBytes);
  payload.writeUInt32LE(bytes, 0);
  return payload;
}

/** Returns the count of {@link encodeCredit}. */
export function decodeCredit(payload: Buffer): number {
  return payload.readUInt32LE(0);
}

function orInternal<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw internal(error);
  }
}

function joinParts(text: string, rest: Uint8Array): Uint8Array {
  const length = Buffer.byteLength(text);
  const payload = Buffer.allocUnsafe(lengthBytes + length + rest.length);
  payload.writeUInt32LE(length, 0);
  payload.write(text, lengthBytes);
  payload.set(rest, lengthBytes + length);
  return payload;
}

function splitParts(payload: Buffer): { text: string; rest: Buffer } {
  const start = lengthBytes + payload.readUInt32LE(0);
  return { text: payload.toString('utf8', lengthBytes, start), rest: payload.subarray(start) };
}
