import { Readable, type Transform } from 'node:stream';
import { constants, createBrotliDecompress, createUnzip } from 'node:zlib';
import type { ResponseBody } from './http-response.ts';

/**
 * The body of a reply, decoded where it came encoded. None is asked for (a compressed stream of events comes late), so hardly any is;
 * some servers and proxies compress all the same.
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

/** Each part of a stream is handed on as it comes, and not once a block is full. */
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
