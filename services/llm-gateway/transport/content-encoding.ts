import { Readable, type Transform } from 'node:stream';
import { constants, createBrotliDecompress, createUnzip } from 'node:zlib';
import type { ResponseBody } from './http-response.ts';

/**
 * Returns the body of a response, decoded if it is encoded. The gateway requests no encoding, because it delays a stream of events; some
 * servers and proxies compress anyway.
 */
export function decoded(
  body: ResponseBody,
  encoding: string | string[] | undefined,
): { body: ResponseBody; isDecoded: boolean } {
  const decoder = encoding === undefined ? undefined : decoderOf(String(encoding).trim().toLowerCase());
  if (decoder === undefined) return { body, isDecoded: false };
  // A failure of the source reaches the reader through the decoder.
  const source = Readable.from(body).on('error', (error) => decoder.destroy(error));
  source.pipe(decoder);
  const bytes = decoder[Symbol.asyncIterator]() as AsyncIterableIterator<Uint8Array>;
  const stop = async () => {
    decoder.destroy();
    source.destroy();
    await body.cancel();
  };
  return {
    isDecoded: true,
    body: {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => bytes.next(),
      async return() {
        await stop();
        return { done: true, value: undefined };
      },
      cancel: stop,
    },
  };
}

/** Creates a decoder that emits each part of a stream when it arrives, and not when a block is full. */
function decoderOf(encoding: string): Transform | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
    case 'deflate':
      return createUnzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH });
    case 'br':
      return createBrotliDecompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        finishFlush: constants.BROTLI_OPERATION_FLUSH,
      });
    default:
      return undefined;
  }
}
