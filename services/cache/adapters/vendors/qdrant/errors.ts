import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { internal, rpcError, unavailable } from '#kit/base/errors.ts';

const dependency = 'semantic store';

/** Returns the HTTP status of an error of the client; `undefined` if there was no reply. */
export function statusOf(thrown: unknown): number | undefined {
  const status = (thrown as { status?: unknown }).status;
  return typeof status === 'number' ? status : undefined;
}

/** Returns the error of a call that took too long. */
export const tooLate = (timeoutMs: number, cause: unknown) =>
  unavailable(dependency, `Qdrant did not answer within ${timeoutMs} ms`, cause);

/** Returns the error of a collection that the server no longer has. */
export const collectionLost = () =>
  unavailable(dependency, 'Qdrant has lost its collection; the next write creates it');

/**
 * Returns an error of the client as one that may cross a service. A reply that refuses has a status; without a reply, `fetch` throws a
 * TypeError. The text of the server goes into the cause alone, because it may quote a question.
 */
export function qdrantError(thrown: unknown): unknown {
  const status = statusOf(thrown);
  const name = thrown instanceof Error ? thrown.name : '';
  if (status === 429 || name === 'QdrantClientResourceExhaustedError') {
    const parts = { metadata: { dependency }, retryAfterMs: 1000, cause: thrown };
    return rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, 'Qdrant is overloaded', parts);
  }
  if (status === 401 || status === 403) {
    return unavailable(dependency, 'Qdrant rejects its key: check the settings', thrown);
  }
  if (status === 408 || (status ?? 0) >= 500) return unavailable(dependency, `Qdrant fails (HTTP ${status})`, thrown);
  if (status === undefined && thrown instanceof TypeError) {
    return unavailable(dependency, 'Qdrant cannot be reached', thrown);
  }
  return internal(thrown);
}
