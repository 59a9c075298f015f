import type { DescMethod } from '@bufbuild/protobuf';
import { type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Metadata, MethodDefinition, ServiceError, StatusObject } from '@grpc/grpc-js';
import { StatusSchema } from '#gen/google/rpc/status_pb.ts';
import { callInterrupted, toRpcError } from '../../base/errors.ts';
import { toBytes } from '../messages/shared-message.ts';
import { fromDetails, toStatus } from '../status.ts';
import { grpc } from './grpc-js.ts';
import { asTrailer, patchGrpc, withoutPadding } from './patches.ts';

// What grpc-js and Connect say in different words: methods, metadata and errors.

const detailsKey = 'grpc-status-details-bin';

/** The grpc-js definition of a method, with protobuf-es as its codec. */
export function methodDefinition(method: DescMethod): MethodDefinition<Message, Message> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    originalName: method.localName,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: serializer(method.input),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: serializer(method.output),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

function serializer(schema: DescMessage): (message: Message) => Buffer {
  return (message) => {
    const bytes = toBytes(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

/** grpc-js metadata as headers; binary values in base64, as on the wire. */
export function metadataToHeaders(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key)) {
      headers.append(key, typeof value === 'string' ? value : withoutPadding(value.toString('base64')));
    }
  }
  return headers;
}

/** Headers as grpc-js metadata. */
export function headersToMetadata(headers: HeadersInit | undefined): Metadata {
  const metadata = new (grpc().Metadata)();
  if (headers === undefined) return metadata;
  const isPlain = !(headers instanceof Headers) && !Array.isArray(headers);
  if (isPlain && isAuthorizationOnly(headers)) {
    metadata.set('authorization', headers.authorization);
    return metadata;
  }
  const entries = headers instanceof Headers ? headers.entries() : new Headers(headers).entries();
  for (const [key, value] of entries) {
    if (key.endsWith('-bin')) {
      for (const part of value.split(',')) metadata.add(key, Buffer.from(part.trim(), 'base64'));
    } else {
      metadata.add(key, value);
    }
  }
  return metadata;
}

// What nearly every call of a service carries: to make Headers of it costs more than the rest of its metadata.
function isAuthorizationOnly(headers: Record<string, string>): headers is { authorization: string } {
  for (const name in headers) if (name !== 'authorization') return false;
  return headers.authorization !== undefined && printable.test(headers.authorization);
}

const printable = /^[!-~]+(?: [!-~]+)*$/;

let bareTrailer: Metadata | undefined;

/** Trailers of a call that went well. */
export function trailerToMetadata(trailer: Headers | undefined): Metadata {
  if (trailer !== undefined) return asTrailer(headersToMetadata(trailer), true);
  if (bareTrailer === undefined) {
    bareTrailer = asTrailer(headersToMetadata(undefined), true);
    // Nearly every call ends with this one.
    const toHeaders = () => ({ 'grpc-message': undefined });
    if (patchGrpc()) bareTrailer.toHttp2Headers = toHeaders;
  }
  return bareTrailer;
}

/** Whatever a handler threw, as a grpc status: details in `grpc-status-details-bin`, nothing of a bug but its code. */
export function errorToStatus(thrown: unknown, trailer?: Headers): StatusObject {
  const error = toRpcError(thrown);
  const metadata = asTrailer(headersToMetadata(error.metadata), false);
  if (trailer !== undefined) metadata.merge(headersToMetadata(trailer));
  if (error.details.length > 0) {
    metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, toStatus(error))));
  }
  return { code: error.code as number, details: error.rawMessage, metadata };
}

// What grpc-js reports, as INTERNAL, of a stream that was reset and has no status. No server of ragmesh ends a call in that way, whatever
// its bugs: it is a proxy or a process that ended.
const resetStream = /^Received RST_STREAM with code \d+/;

/** What grpc-js and proxies say of a connection: addresses and names of the inside, which an answer's reader may see. */
const insideWords =
  /remote_addr=|\bE[A-Z]{4,}\b|resolution|connection established|upstream|\b\d{1,3}(?:\.\d{1,3}){3}\b|\[[\da-f:]+\]:\d/i;

/** What is said instead; the error's cause has the words themselves. */
const outsideWords: ReadonlyMap<Code, string> = new Map([
  [Code.Unavailable, 'the service cannot be reached'],
  [Code.DeadlineExceeded, 'the service did not reply in time'],
]);

/**
 * A grpc-js error as a ConnectError with its details, and with response headers and trailers as its metadata. A stream that was reset
 * without a status is UNAVAILABLE, not INTERNAL, because it is no bug of the service.
 */
export function statusToError(error: ServiceError | StatusObject, header?: Metadata): ConnectError {
  if (error.code === (Code.Internal as number) && resetStream.test(error.details ?? '')) return callInterrupted(error);
  const metadata = error.metadata === undefined ? new Headers() : metadataToHeaders(error.metadata);
  if (header !== undefined) for (const [key, value] of metadataToHeaders(header)) metadata.append(key, value);
  // Without a code it is grpc-js that failed: it could not make sense of what came.
  const code = error.code === undefined ? Code.Internal : (error.code as number) || Code.Unknown;
  const packed = error.metadata?.get(detailsKey)[0];
  const said = error.details ?? '';
  const isServices = packed instanceof Uint8Array;
  const words = isServices || !insideWords.test(said) ? undefined : outsideWords.get(code);
  const cause = words === undefined ? undefined : new Error(said);
  const connectError = new ConnectError(words ?? said, code, metadata, undefined, cause);
  if (packed instanceof Uint8Array) {
    connectError.details = fromDetails(decodeStatus(packed));
  }
  return connectError;
}

function decodeStatus(bytes: Uint8Array): Any[] {
  try {
    return fromBinary(StatusSchema, bytes).details;
  } catch {
    // Details of a foreign server may be anything; the code and the message still count.
    return [];
  }
}
