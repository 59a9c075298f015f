import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { compressionBrotli, compressionGzip } from '@connectrpc/connect-node';

const gzipAsync = promisify(gzip);
const brotliAsync = promisify(brotliCompress);

/**
 * Compressions of rpc messages, for clients that ask for one. Levels are low: Node's defaults (6, and for Brotli 11) cost
 * many times the processor for a few percent. Decompression is bounded by the largest message.
 */
export const compressions = [
  { ...compressionGzip, compress: async (bytes: Uint8Array) => new Uint8Array(await gzipAsync(bytes, { level: 3 })) },
  {
    ...compressionBrotli,
    compress: async (bytes: Uint8Array) =>
      new Uint8Array(await brotliAsync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })),
  },
];
