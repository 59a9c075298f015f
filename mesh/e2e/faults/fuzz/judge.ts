import { Code } from '@connectrpc/connect';
import { codeFromString } from '@connectrpc/connect/protocol-connect';
import { prefixLength } from '#kit/rpc/connect/wire.ts';
import type { FuzzReply } from './send.ts';

/** How a request ended. */
export interface Outcome {
  status: number;
  /** Code of the call: of the trailers, of the end of a stream, or of the body of an error. 0: none. */
  code: Code | 0;
  /** What was said about it, as it was sent. */
  message: string;
}

/** Codes that say that the server has failed, whatever its client has sent. */
const serverFaults: ReadonlySet<number> = new Set([Code.Unknown, Code.Internal, Code.DataLoss, Code.Unavailable]);

/**
 * Returns how a reply ended the request. Reads the protocol of the reply by its content type: Connect's unary and streams, gRPC, gRPC-Web,
 * server-sent events, and the errors of the JSON routes.
 */
export function outcomeOf({ status, headers, trailers, body }: FuzzReply): Outcome {
  const type = String(headers['content-type'] ?? '');
  const grpcStatus = trailers['grpc-status'] ?? headers['grpc-status'];
  if (grpcStatus !== undefined) {
    const message = String(trailers['grpc-message'] ?? headers['grpc-message'] ?? '');
    return { status, code: Number(grpcStatus), message: decodeURIComponent(message) };
  }
  if (type.startsWith('application/grpc-web')) {
    const message = decodeURIComponent(lastEnvelope(body, 0x80)?.toString('latin1') ?? '');
    return { status, code: Number(/grpc-status: *(\d+)/i.exec(message)?.[1] ?? Code.Unknown), message };
  }
  if (type.startsWith('application/grpc')) return { status, code: Code.Unknown, message: 'no grpc-status' };
  if (type.startsWith('application/connect+')) {
    const message = lastEnvelope(body, 0x02)?.toString('utf8') ?? '{"error":{"code":"unknown"}}';
    return { status, code: codeOf(JSON.parse(message)), message };
  }
  const message = body.toString('utf8');
  if (type.startsWith('text/event-stream')) {
    const error = /^event: error\ndata: (.*)$/m.exec(message)?.[1];
    return { status, code: error === undefined ? 0 : codeOf(JSON.parse(error)), message };
  }
  const isError = status >= 400 && type.startsWith('application/json') && message !== '';
  return { status, code: isError ? codeOf(JSON.parse(message)) : 0, message };
}

/** The code that gRPC and Connect demand for a compressed message in a call that names no compression, said in these words. */
const withoutCompression = /received compressed envelope|compressed message without compression/;

/** Returns what is wrong with an outcome; `undefined` if the client alone has to change something. */
export function faultOf({ status, code, message }: Outcome): string | undefined {
  if (code === Code.Internal && withoutCompression.test(message)) return undefined;
  if (serverFaults.has(code)) return `code ${Code[code] ?? code}`;
  // A deadline is the client's own, sent with its request.
  if (status >= 500 && code !== Code.DeadlineExceeded && code !== Code.Unimplemented) return `status ${status}`;
  if (status === 0) return 'no status';
  return undefined;
}

function lastEnvelope(body: Buffer, flag: number): Buffer | undefined {
  let at = 0;
  while (at + prefixLength <= body.length) {
    const length = body.readUInt32BE(at + 1);
    const data = body.subarray(at + prefixLength, at + prefixLength + length);
    if (((body[at] as number) & flag) !== 0) return data;
    at += prefixLength + length;
  }
  return undefined;
}

/** Reads the code of `{code}`, of `{error: {code}}`, or of an error of OpenAI's or Anthropic's wire, by its type. */
function codeOf(body: unknown): Code | 0 {
  const { code, error } = body as { code?: unknown; error?: { code?: unknown; type?: unknown } };
  const named = error === undefined ? code : error.code;
  if (error?.type === 'server_error' || error?.type === 'api_error') return Code.Internal;
  if (typeof named !== 'string') return 0;
  return codeFromString(named.toLowerCase()) ?? 0;
}
