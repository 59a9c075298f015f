import { Agent, request as requestHttp1 } from 'node:http';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { Readable } from 'node:stream';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { FuzzRequest } from './requests.ts';

/** What came back. */
export interface FuzzReply {
  status: number;
  headers: Readonly<Record<string, unknown>>;
  trailers: Readonly<Record<string, unknown>>;
  body: Buffer;
}

/** A client that sends requests as they are. */
export interface FuzzClient {
  /** Resolves to the reply. Rejects if the connection ends without one, or if it takes longer than `timeoutMs`. */
  send(request: FuzzRequest, timeoutMs: number): Promise<FuzzReply>;
  close(): void;
}

/** Most bytes that are read of a reply. */
const maxReplyBytes = 16 << 20;

/** Creates a client of an HTTP server that speaks HTTP/1.1 and HTTP/2 on one port. */
export function createFuzzClient(url: string): FuzzClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  let session: ClientHttp2Session | undefined;
  const openSession = (): ClientHttp2Session => {
    if (session === undefined || session.closed || session.destroyed) {
      // Node's client counts bytes of refused requests for ever, and refuses replies itself when the count is at its limit.
      const opened = connect(url, { maxSessionMemory: 2 ** 32 - 1 });
      opened.on('error', () => {});
      // The server ends a connection after many streams that it had to reset; those in flight on it continue.
      opened.on('goaway', () => {
        if (session === opened) session = undefined;
        opened.close();
      });
      session = opened;
    }
    return session;
  };
  const send1 = (sent: FuzzRequest, signal: AbortSignal): Promise<FuzzReply> =>
    new Promise((resolve, reject) => {
      const { method, path, headers, body } = sent;
      const target = new URL(url);
      const length = method === 'GET' && body.length === 0 ? {} : { 'content-length': String(body.length) };
      const options = { host: target.hostname, port: target.port, path, method, headers: { ...headers, ...length } };
      const request = requestHttp1({ ...options, agent, signal });
      // A connection may end while it is idle; who then sends a request on it sends it again (RFC 9112, section 9.3.1).
      request.on('error', (error) =>
        request.reusedSocket && !signal.aborted ? resolve(send1(sent, signal)) : reject(error),
      );
      request.on('response', (response) => {
        readAll(response).then((bytes) => {
          const { statusCode = 0, headers: got, trailers } = response;
          resolve({ status: statusCode, headers: got, trailers, body: bytes });
        }, reject);
      });
      request.end(body);
    });
  const send2 = (sent: FuzzRequest, signal: AbortSignal): Promise<FuzzReply> =>
    new Promise((resolve, reject) => {
      const { method, path, headers, body } = sent;
      const stream = openSession().request(
        { ...headers, ':method': method, ':path': path },
        { signal, endStream: false },
      );
      let got: Record<string, unknown> = {};
      let trailers: Record<string, unknown> = {};
      // Refused means that it was not processed: it is sent again (RFC 9113, section 8.7).
      const fail = (error: unknown) =>
        stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && !signal.aborted
          ? resolve(send2(sent, signal))
          : reject(error);
      stream.on('error', fail);
      stream.on('response', (found) => {
        got = found;
      });
      stream.on('trailers', (found) => {
        trailers = found;
      });
      readAll(stream).then(
        (bytes) => resolve({ status: Number(got[':status'] ?? 0), headers: got, trailers, body: bytes }),
        fail,
      );
      stream.end(body);
    });
  return {
    async send(request, timeoutMs) {
      const signal = AbortSignal.timeout(Math.ceil(timeoutMs));
      const reply = await (request.httpVersion === 1 ? send1(request, signal) : send2(request, signal));
      return { ...reply, body: decompress(reply) };
    },
    close() {
      agent.destroy();
      session?.destroy();
    },
  };
}

function decompress({ headers, body }: FuzzReply): Buffer {
  if (body.length === 0) return body;
  if (headers['content-encoding'] === 'gzip') return gunzipSync(body);
  return headers['content-encoding'] === 'br' ? brotliDecompressSync(body) : body;
}

async function readAll(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    size += (part as Buffer).length;
    if (size > maxReplyBytes) throw new Error(`a reply of more than ${maxReplyBytes} bytes`);
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}
