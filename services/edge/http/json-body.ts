import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { invalidArgument, rpcError, tooLarge } from '#kit/base/errors.ts';
import { readBody } from '#kit/http/server/body.ts';
import { createJsonCheck } from '#kit/http/server/json-bounds.ts';
import type { NodeRequest } from '#kit/http/server/port.ts';
import type { EdgeLimits } from './limits.ts';

/**
 * Reads the JSON body of a request. Throws INVALID_ARGUMENT when it is not JSON in UTF-8, nests too deep or holds too many
 * values, TOO_LARGE, or DEADLINE_EXCEEDED when it does not arrive. `otherTypes`: media types that mean JSON here as well.
 */
export async function readJsonBody(
  request: NodeRequest,
  limits: EdgeLimits,
  otherTypes: readonly string[] = [],
): Promise<unknown> {
  const mediaType = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (mediaType === undefined || !['application/json', ...otherTypes].includes(mediaType)) {
    throw rpcError(
      Code.InvalidArgument,
      ErrorReason.MEDIA_TYPE_UNSUPPORTED,
      'the body must be JSON: send "content-type: application/json"',
      { metadata: { media_type: mediaType ?? '' } },
    );
  }
  const text = await readText(request, limits);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidArgument(`the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}

// The declared length is enough to refuse a body before it is read. Each piece is checked and decoded as it comes, so that a large body
// does not hold the event loop at its end.
async function readText(request: NodeRequest, limits: EdgeLimits): Promise<string> {
  const { maxJsonBytes, maxJsonValues, bodyTimeoutMs } = limits;
  if (Number(request.headers['content-length'] ?? 0) > maxJsonBytes) throw tooLarge('the body', maxJsonBytes);
  const check = createJsonCheck(maxJsonValues);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (piece?: Uint8Array) => {
    try {
      return decoder.decode(piece, { stream: piece !== undefined });
    } catch (cause) {
      throw invalidArgument('the body is not UTF-8', { cause });
    }
  };
  let text = '';
  let sizeBytes = 0;
  for await (const piece of readBody(request, { totalMs: bodyTimeoutMs, silenceMs: bodyTimeoutMs })) {
    sizeBytes += piece.length;
    if (sizeBytes > maxJsonBytes) throw tooLarge('the body', maxJsonBytes);
    check(piece);
    text += decode(piece);
  }
  return text + decode();
}
