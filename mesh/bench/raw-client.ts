import { type ClientHttp2Session, connect } from 'node:http2';

/** A client of the Connect protocol that sends the same streaming call again and again and only counts what comes back. */
export interface RawClient {
  /** Makes the call. Resolves to the bytes of the answer; rejects if the call failed. */
  call(): Promise<number>;
  close(): void;
}

/** The last message of a stream has this flag (Connect protocol, "Streaming RPCs"). */
const endFlag = 2;

/**
 * Creates the client. It decodes nothing, so that on two cores the server is what a rate shows, and not the load's own
 * decoding.
 */
export function createRawClient(baseUrl: string, path: string, message: Uint8Array, key?: string): RawClient {
  const session: ClientHttp2Session = connect(baseUrl);
  const body = Buffer.alloc(5 + message.byteLength);
  body.writeUInt32BE(message.byteLength, 1);
  body.set(message, 5);
  const headers = {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/connect+proto',
    'connect-protocol-version': '1',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const stream = session.request(headers);
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.once('error', reject);
        stream.once('end', () => {
          const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
          const end = lastMessage(bytes);
          if (end === '{}') resolve(bytes.byteLength);
          else reject(new Error(`the stream ended with ${end}`));
        });
        stream.end(body);
      }),
    close: () => session.close(),
  };
}

function lastMessage(bytes: Buffer): string {
  for (let at = 0; at + 5 <= bytes.byteLength; ) {
    const length = bytes.readUInt32BE(at + 1);
    const data = bytes.subarray(at + 5, at + 5 + length);
    if (((bytes[at] ?? 0) & endFlag) !== 0) return data.toString();
    at += 5 + length;
  }
  return 'no end';
}
