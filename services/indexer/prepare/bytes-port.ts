import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type ReadBytes, UploadBytesError } from '../uploads/file-reader.ts';

// The thread reads an upload through the store of the main thread: a store has connections and credentials, and one of each is enough.

interface Ask {
  offset: number;
  sizeBytes: number;
}

/** `undefined`: the bytes could not be read. */
type Answer = Uint8Array<ArrayBuffer> | undefined;

/** The main thread's end of a port. */
export interface BytesServer {
  /** For the thread. */
  port: MessagePort;
  /** Returns why a read failed; `undefined` if none did. */
  failure(): unknown;
  close(): void;
}

/** Answers reads over a port. */
export function serveBytes(read: (offset: number, sizeBytes: number) => Promise<Uint8Array | undefined>): BytesServer {
  const { port1, port2 } = new MessageChannel();
  let failure: unknown;
  port1.on('message', async ({ offset, sizeBytes }: Ask) => {
    try {
      const bytes = await read(offset, sizeBytes);
      if (bytes === undefined) throw new UploadBytesError('the stored bytes of the upload are gone');
      const copy = new Uint8Array(bytes);
      port1.postMessage(copy satisfies Answer, [copy.buffer]);
    } catch (error) {
      failure ??= error;
      port1.postMessage(undefined satisfies Answer);
    }
  });
  return { port: port2, failure: () => failure, close: () => port1.close() };
}

/** Reads over a port, in the thread. One read at a time. */
export function readOver(port: MessagePort): ReadBytes {
  return async (offset, sizeBytes) => {
    const answered = new Promise<Answer>((resolve) => port.once('message', resolve));
    port.postMessage({ offset, sizeBytes } satisfies Ask);
    const bytes = await answered;
    if (bytes === undefined) throw new UploadBytesError('the stored bytes cannot be read');
    return bytes;
  };
}
