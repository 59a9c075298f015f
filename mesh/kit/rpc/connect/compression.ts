import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { Code, ConnectError } from '@connectrpc/connect';
import { compressionBrotli, compressionGzip } from '@connectrpc/connect-node';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { invalidArgument, rpcError } from '../../base/errors.ts';

const gzipAsync = promisify(gzip);
const brotliAsync = promisify(brotliCompress);

/** Largest ratio by which a message may grow when it is decompressed; texts grow three to ten times. */
const maxRatio = 100;
/**
 * Size to which any compressed message may grow, in bytes: repetitive messages are legal, and one of this size is inflated in about a
 * millisecond.
 */
const alwaysBytes = 256 << 10;

/**
 * Compressions of rpc messages, for clients that accept one. Levels are low: Node's defaults (6, and for Brotli 11) cost
 * many times the CPU for a few percent. Decompression is bounded by the largest message and by a ratio.
 */
export const compressions = [
  {
    ...compressionGzip,
    compress: async (bytes: Uint8Array) => new Uint8Array(await gzipAsync(bytes, { level: 3 })),
    decompress: (bytes: Uint8Array, maxBytes: number) => inflateWith(compressionGzip, bytes, maxBytes),
  },
  {
    ...compressionBrotli,
    compress: async (bytes: Uint8Array) =>
      new Uint8Array(await brotliAsync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })),
    decompress: (bytes: Uint8Array, maxBytes: number) => inflateWith(compressionBrotli, bytes, maxBytes),
  },
];

const byName = new Map(compressions.map((compression) => [compression.name, compression]));

/** Reports whether a name is that of a supported compression. */
export function isCompression(name: string | null): name is string {
  return name !== null && byName.has(name);
}

/**
 * Decompresses a message by the name of its compression. Throws TOO_LARGE if the message is larger than `maxBytes`, or larger than
 * 256 KiB and 100 times its compressed size; INVALID_ARGUMENT if it is damaged.
 */
export async function inflate(name: string, bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const compression = byName.get(name);
  if (compression === undefined) throw new Error(`unknown compression ${name}`);
  return compression.decompress(bytes, maxBytes);
}

async function inflateWith(compression: typeof compressionGzip, bytes: Uint8Array, maxBytes: number) {
  const boundBytes = Math.min(maxBytes, Math.max(alwaysBytes, bytes.length * maxRatio));
  try {
    return await compression.decompress(bytes, boundBytes);
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    if (error.code !== Code.ResourceExhausted) {
      throw invalidArgument('the compressed message is damaged: send it again', { cause: error });
    }
    const advice = boundBytes < maxBytes ? ', or send the message without compression' : '';
    throw rpcError(
      Code.ResourceExhausted,
      ErrorReason.TOO_LARGE,
      `the message is larger than ${boundBytes} bytes when it is decompressed: send a smaller one${advice}`,
      { metadata: { limit_bytes: String(boundBytes) }, cause: error },
    );
  }
}
