import { createRequire } from 'node:module';
import type { Metadata, Server, StatusObject } from '@grpc/grpc-js';
import type { Logger } from '../../base/log.ts';
import { httpLimits } from '../../http/server/limits.ts';

// Every change that ragmesh makes to grpc-js itself. They touch parts that do not follow semver, so they are applied only to the
// version that they were written for, and only if each part has the expected shape. Without them every call still works:
// `grpc.patches: false` in the configuration turns them off.

/** The version of grpc-js that the patches were written for. */
const patchedVersion = '1.14.7';

const load = createRequire(import.meta.url);

/** What the patches replace, as far as they use it. */
export interface GrpcInternals {
  version: string;
  serverCall: { serializeMessage(value: unknown): Buffer };
  clientCall: ClientCall;
  metadata: { clone(): Metadata; toHttp2Headers(): object };
}

/** Returns the parts of the installed grpc-js that the patches replace. Reading them changes nothing. */
export function readGrpcInternals(): GrpcInternals {
  return {
    version: load('@grpc/grpc-js/package.json').version,
    serverCall: load('@grpc/grpc-js/build/src/server-interceptors').BaseServerInterceptingCall?.prototype,
    clientCall: load('@grpc/grpc-js/build/src/subchannel-call').Http2SubchannelCall?.prototype,
    metadata: load('@grpc/grpc-js/build/src/metadata').Metadata?.prototype,
  };
}

/** Returns why the patches do not fit, or `undefined` if they do: another version, or a method that is absent or takes other arguments. */
export function misfitOf({ version, serverCall, clientCall, metadata }: GrpcInternals): string | undefined {
  if (version !== patchedVersion) return `grpc-js ${version} is installed, the patches are for ${patchedVersion}`;
  const parts: [name: string, method: unknown, argumentCount: number][] = [
    ['BaseServerInterceptingCall.serializeMessage', serverCall?.serializeMessage, 1],
    ['Http2SubchannelCall.handleTrailers', clientCall?.handleTrailers, 1],
    ['Http2SubchannelCall.endCall', clientCall?.endCall, 1],
    ['Http2SubchannelCall.outputStatus', clientCall?.outputStatus, 0],
    ['Metadata.clone', metadata?.clone, 0],
    ['Metadata.toHttp2Headers', metadata?.toHttp2Headers, 0],
  ];
  const changed = parts.filter(
    ([, method, argumentCount]) => typeof method !== 'function' || method.length !== argumentCount,
  );
  return changed.length === 0 ? undefined : `grpc-js has changed: ${changed.map(([name]) => name).join(', ')}`;
}

let isPatched: boolean | undefined;

/** How {@link patchGrpc} decides. */
export interface PatchOptions {
  /** @default true */
  enabled?: boolean;
  log?: Pick<Logger, 'warn'>;
  /** @default readGrpcInternals */
  read?(): GrpcInternals;
}

/**
 * Patches grpc-js unless `enabled` is false. The first call decides for the life of the process, because the patches replace methods
 * that all servers and clients share. Returns whether the patches are applied. If they do not fit the installed version, logs one
 * warning and leaves grpc-js as it is.
 */
export function patchGrpc({ enabled = true, log, read = readGrpcInternals }: PatchOptions = {}): boolean {
  if (isPatched !== undefined) return isPatched;
  if (!enabled) {
    isPatched = false;
    return isPatched;
  }
  const internals = read();
  const misfit = misfitOf(internals);
  isPatched = misfit === undefined;
  if (isPatched) {
    joinMessages(internals.serverCall);
    deliverMessagesFirst(internals.clientCall);
  } else {
    log?.warn({ event: 'grpc_patches_skipped', reason: misfit }, 'grpc-js runs unpatched');
  }
  return isPatched;
}

/** Messages of one stream, serialised, that leave in one write. Only for a server in a patched process. */
export class JoinedMessages {
  readonly bytes: readonly Uint8Array[];
  constructor(bytes: readonly Uint8Array[]) {
    this.bytes = bytes;
  }
}

/** Length of the head of a message on gRPC's wire, in bytes: a flag of compression, and the length. */
export const messageHeadBytes = 5;

// 1. The server writes several messages in one write. Unpatched, it makes an HTTP/2 frame for each message and waits until the frame
// has left before it takes the next, which is most of the cost of a stream of short messages. The bytes on the wire are the same.
function joinMessages(call: GrpcInternals['serverCall']): void {
  const { serializeMessage } = call;
  call.serializeMessage = function (value) {
    return value instanceof JoinedMessages ? framed(value.bytes) : serializeMessage.call(this, value);
  };
}

function framed(messages: readonly Uint8Array[]): Buffer {
  const output = Buffer.allocUnsafe(messages.reduce((size, { length }) => size + messageHeadBytes + length, 0));
  let at = 0;
  for (const message of messages) {
    output[at] = 0;
    output.writeUInt32BE(message.length, at + 1);
    output.set(message, at + messageHeadBytes);
    at += messageHeadBytes + message.length;
  }
  return output;
}

// A server's error status that waits for the messages before it, inside a status that looks like success.
type HeldStatus = Partial<StatusObject> & { held?: StatusObject };

interface ClientCall {
  finalStatus: HeldStatus | null;
  internalError: (Error & { code?: string }) | null;
  readsTrailers?: boolean;
  handleTrailers(headers: object): void;
  endCall(status: HeldStatus): void;
  outputStatus(): void;
}

const internalCode = 13;
const unavailableCode = 14;

// 2. The client delivers every message of a stream before the error that ended it, as gRPC and the local mount do. Unpatched, it drops
// what was received and not yet consumed as soon as an error status comes, so a slow consumer loses the last part of an answer
// (https://github.com/grpc/grpc-node/issues/2764). It keeps the order if the status is OK, so an error in trailers passes as OK until
// the messages are through.
// It also reports the end of the whole connection as UNAVAILABLE. Unpatched, a GOAWAY with an error code ends every call of the
// connection as INTERNAL ("Session closed with error code 2"): calls that did nothing wrong, and that the contract may allow to retry.
function deliverMessagesFirst(call: ClientCall): void {
  const { handleTrailers, endCall, outputStatus } = call;
  call.handleTrailers = function (headers) {
    this.readsTrailers = true;
    handleTrailers.call(this, headers);
    this.readsTrailers = false;
  };
  call.endCall = function (status) {
    const held = this.finalStatus?.held;
    // The consumer or the connection left while the status waits: the status of the server stays.
    if (held !== undefined) return endCall.call(this, held);
    if (this.readsTrailers === true && status.code !== 0) {
      return endCall.call(this, { code: 0, held: status as StatusObject });
    }
    const isConnectionLost = status.code === internalCode && this.internalError?.code === 'ERR_HTTP2_SESSION_ERROR';
    endCall.call(this, isConnectionLost ? { ...status, code: unavailableCode } : status);
  };
  call.outputStatus = function () {
    this.finalStatus = this.finalStatus?.held ?? this.finalStatus;
    outputStatus.call(this);
  };
}

/**
 * Returns `metadata` changed so that it leaves as gRPC wants it. 3. Unpatched, grpc-js pads the base64 of binary values, and sends
 * "grpc-message: OK" with every success (`isOk`).
 */
export function asTrailer(metadata: Metadata, isOk: boolean): Metadata {
  if (!patchGrpc()) return metadata;
  const write = metadata.toHttp2Headers;
  // grpc-js sends a clone, which would be an unpatched one.
  const self = () => metadata;
  const toHeaders = () => {
    const headers = write.call(metadata);
    for (const [key, value] of Object.entries(headers)) {
      if (!key.endsWith('-bin')) continue;
      headers[key] = Array.isArray(value) ? value.map(withoutPadding) : withoutPadding(String(value));
    }
    if (isOk) headers['grpc-message'] = undefined;
    return headers;
  };
  metadata.clone = self;
  metadata.toHttp2Headers = toHeaders;
  return metadata;
}

/** Returns base64 without the padding at its end. */
export function withoutPadding(base64: string): string {
  return base64.replace(/=+$/, '');
}

const http2Options = {
  // Streams that a client of the mesh may reset on one connection: many at the same moment, and each second on average.
  streamResetBurst: 10_000,
  streamResetRate: 1_000,
  // With TLS, a connection that says nothing has no session yet.
  handshakeTimeout: httpLimits.headersTimeoutMs,
};

/**
 * Lets clients cancel calls at the rate at which users leave. 4. Unpatched, grpc-js offers no setting for it, and Node's HTTP/2 server
 * closes a connection with all its calls after a burst of 1,000 resets and then 33 a second. One connection carries the calls of all
 * users of a replica here. The edge, which strangers reach, has limits of its own. It also shortens the wait for a handshake of TLS, two
 * minutes in Node. Call it before the server binds.
 */
export function allowResets(server: Server): void {
  if (!patchGrpc()) return;
  const { commonServerOptions } = server as unknown as { commonServerOptions?: object };
  if (commonServerOptions !== undefined) Object.assign(commonServerOptions, http2Options);
}
