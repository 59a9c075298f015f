import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  GenerateRequestSchema,
  GenerateResponseSchema,
  LLMGatewayService,
  MessageRole,
  Outcome,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';

// Clients that decode next to nothing, so that on two cores the servers are what a rate shows, and not the load.

/** A client with its own connections. Each call is one completion; it rejects if the completion is incomplete. */
export interface CompletionClient {
  /** `onDelta` hears of each piece with text in it, and of how many deltas it holds. */
  call(onDelta?: (count: number) => void): Promise<void>;
  /** Closes the connections; calls in flight reject. */
  close(): void;
}

/** A client that counts failed calls and repeats them: a server under load may fail, and the benchmark continues. */
export function patient(client: CompletionClient, failed: (error: unknown) => void): CompletionClient {
  return {
    async call(onDelta) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await client.call(onDelta);
        } catch (error) {
          failed(error);
          if (attempt === maxTries) throw error;
        }
      }
    },
    close: () => client.close(),
  };
}

const maxTries = 5;

/** What is asked, over either wire. */
export interface Asked {
  model: 'short' | 'paced' | 'long';
  stream: boolean;
}

const question = 'How long do I have to send back unwashed bedding that I bought in the sale?';

/** Completions over OpenAI's wire. */
export function createHttpClient(port: number, headers: Record<string, string>, asked: Asked): CompletionClient {
  const body = JSON.stringify({ ...asked, messages: [{ role: 'user', content: question }] });
  return createPostClient(port, '/v1/chat/completions', headers, body);
}

/** The same JSON again and again over HTTP/1.1. Connections are made as they are needed, and kept. */
export function createPostClient(
  port: number,
  path: string,
  headers: Record<string, string>,
  body: string,
): CompletionClient {
  const lines = Object.entries({
    host: `127.0.0.1:${port}`,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  const idle: Socket[] = [];
  const all = new Set<Socket>();
  return {
    call(onDelta) {
      const socket = idle.pop() ?? open(port, all);
      return new Promise((resolve, reject) => {
        const end = (error?: Error) => {
          socket.removeAllListeners('data');
          socket.removeAllListeners('close');
          if (error === undefined) {
            idle.push(socket);
            resolve();
          } else {
            socket.destroy();
            reject(error);
          }
        };
        let received: Buffer = Buffer.alloc(0);
        let deltaCount = 0;
        socket.on('data', (piece: Buffer) => {
          if (onDelta !== undefined) {
            const count = countOf(piece, deltaMark);
            if (count > 0) onDelta(count);
            deltaCount += count;
            // Of a stream only its head and its end are of interest.
            received = received.length === 0 ? piece : Buffer.concat([received.subarray(-64), piece]);
          } else {
            received = received.length === 0 ? piece : Buffer.concat([received, piece]);
          }
          if (!isWhole(received)) return;
          const isGood = received.includes('HTTP/1.1 200') || deltaCount > 0;
          end(isGood ? undefined : new Error(received.toString('utf8').slice(0, 500)));
        });
        socket.once('close', () => end(new Error('the connection was lost')));
        socket.write(request);
      });
    },
    close() {
      for (const socket of all) socket.destroy();
    },
  };
}

const deltaMark = ' word';

function open(port: number, all: Set<Socket>): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  all.add(socket);
  socket.on('error', () => {});
  return socket;
}

function countOf(bytes: Buffer, mark: string): number {
  let count = 0;
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) count++;
  return count;
}

// With the line end before it: a header may end in a zero as well.
const lastChunk = '\r\n0\r\n\r\n';

// By its last chunk, or by its length.
function isWhole(received: Buffer): boolean {
  if (received.subarray(-lastChunk.length).toString('latin1') === lastChunk) return true;
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const length = /content-length: *(\d+)/i.exec(received.toString('latin1', 0, headEnd))?.[1];
  return length !== undefined && received.length >= headEnd + 4 + Number(length);
}

/** Concurrent calls on one connection. */
const callsPerSession = 128;

/** Completions over the gateway's own gRPC. */
export function createGrpcClient(port: number, authorization: string, { model }: Asked): CompletionClient {
  const message = toBinary(
    GenerateRequestSchema,
    create(GenerateRequestSchema, { model, messages: [{ role: MessageRole.USER, text: question }] }),
  );
  const body = Buffer.alloc(5 + message.length);
  body.writeUInt32BE(message.length, 1);
  body.set(message, 5);
  const headers = {
    ':method': 'POST',
    ':path': `/${LLMGatewayService.typeName}/Generate`,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': '60S',
    authorization,
  };
  const pool: { session: ReturnType<typeof connectHttp2>; openCount: number }[] = [];
  const take = () => {
    let free = pool.find(({ openCount }) => openCount < callsPerSession);
    if (free === undefined) {
      free = { session: connectHttp2(`http://127.0.0.1:${port}`), openCount: 0 };
      free.session.on('error', () => {});
      pool.push(free);
    }
    free.openCount++;
    return free;
  };
  return {
    call(onDelta) {
      const lane = take();
      const stream = lane.session.request(headers);
      return new Promise((resolve, reject) => {
        let rest: Buffer = Buffer.alloc(0);
        let last: Buffer | undefined;
        let status = '';
        const readStatus = (fields: Record<string, unknown>) => {
          if (fields['grpc-status'] !== undefined) status = `${fields['grpc-status']} ${fields['grpc-message'] ?? ''}`;
        };
        stream.on('response', readStatus);
        stream.on('trailers', readStatus);
        stream.on('error', reject);
        stream.on('data', (piece: Buffer) => {
          let bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
          let deltaCount = 0;
          while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
            last = bytes.subarray(5, 5 + bytes.readUInt32BE(1));
            if (last[0] === textDeltaTag) deltaCount++;
            bytes = bytes.subarray(5 + last.length);
          }
          rest = bytes;
          if (deltaCount > 0) onDelta?.(deltaCount);
        });
        stream.once('close', () => {
          lane.openCount--;
          const event = last && fromBinary(GenerateResponseSchema, last).event;
          const isGood = status.startsWith('0') && event?.case === 'done' && event.value.outcome === Outcome.COMPLETE;
          if (isGood) resolve();
          else reject(new Error(`the stream ended with ${event?.case ?? 'nothing'}, status ${status}`));
        });
        stream.end(body);
      });
    },
    close() {
      for (const { session } of pool) session.destroy();
    },
  };
}

/** First byte of a message whose event is `text_delta`: field 2, length-delimited. */
const textDeltaTag = 0x12;
