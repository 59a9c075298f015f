import { Code, ConnectError } from '@connectrpc/connect';

/** What the caller can do about an error of the server. */
const advice: Partial<Record<Code, string>> = {
  [Code.Unauthenticated]:
    'the key is that of --key, else of RAGMESH_API_KEY, else the development key in <data_dir>/edge/dev-keys.json: check that this server knows it (edge.api_keys)',
  [Code.PermissionDenied]: 'use a key with the needed role: --key or RAGMESH_API_KEY',
};

/** Returns an error as text for a person: one line, and one of advice if there is any. */
export function describeError(error: unknown): string {
  if (error instanceof ConnectError) {
    const hint = advice[error.code];
    return `${Code[error.code]}: ${error.rawMessage}${hint === undefined ? '' : `\n  ${hint}`}`;
  }
  return error instanceof Error ? error.message : String(error);
}
