import { type ClientHttp2Session, connect, constants, type SecureClientSessionOptions } from 'node:http2';

// Calls that any client on the network could make: gRPC over a connection of its own, with an empty message.

/** The end of a call. */
export interface Reply {
  /** Code of gRPC; -1 if the connection was refused or closed before a reply. */
  readonly code: number;
  readonly message: string;
  /** Whether the first proxy on the way has passed the call on: it adds the time of what is behind it only then. */
  readonly isFromBehind: boolean;
}

/** Longest time of a call, in milliseconds: the lab shares its machine. */
const callTimeoutMs = 30_000;

/** Creates a client of one address. `options`: certificates, for a connection with TLS. */
export function createWireClient(origin: string, options: SecureClientSessionOptions = {}) {
  let session: ClientHttp2Session | undefined;
  const open = (): ClientHttp2Session => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    session = connect(origin, options);
    // A failure is also one of each call.
    session.on('error', () => {});
    return session;
  };
  return {
    /** Calls an rpc. Never rejects. */
    call: (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> => call(open(), path, headers),
    close() {
      session?.destroy();
    },
  };
}

/** Returns the headers of a call. */
export function requestHeaders(path: string, headers: Readonly<Record<string, string>>): Record<string, string> {
  return {
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  };
}

function call(session: ClientHttp2Session, path: string, headers: Readonly<Record<string, string>>): Promise<Reply> {
  return new Promise((resolve) => {
    const seen: Record<string, unknown> = {};
    let failure = 'the connection was closed';
    const request = session.request(requestHeaders(path, headers));
    request.on('response', (received) => {
      Object.assign(seen, received);
      // A stream that begins was let in; how it ends does not matter here.
      if (seen['grpc-status'] === undefined && seen[':status'] === 200) {
        request.once('data', () => {
          seen['grpc-status'] ??= '0';
          request.close(constants.NGHTTP2_CANCEL);
        });
      }
    });
    request.on('trailers', (received) => Object.assign(seen, received));
    request.on('error', (error) => {
      failure = error.message;
    });
    request.on('close', () => resolve(replyOf(seen, failure)));
    request.setTimeout(callTimeoutMs, () => request.close(constants.NGHTTP2_CANCEL));
    request.resume();
    // One message of no bytes: not compressed, length 0.
    request.end(Buffer.alloc(5));
  });
}

/** Returns the end of a call by the headers and trailers that were seen; `failure`: what has happened if there were none. */
export function replyOf(seen: Readonly<Record<string, unknown>>, failure: string): Reply {
  const status = seen['grpc-status'];
  const isFromBehind = seen['x-envoy-upstream-service-time'] !== undefined;
  if (status === undefined) {
    const http = seen[':status'];
    return { code: -1, message: http === undefined ? failure : `HTTP status ${http}`, isFromBehind };
  }
  return { code: Number(status), message: decodeURIComponent(String(seen['grpc-message'] ?? '')), isFromBehind };
}

/** Whether a proxy has refused a call by its policies. */
export function isDenied({ code, message }: Reply): boolean {
  return code === 7 && message.startsWith('RBAC: access denied');
}
