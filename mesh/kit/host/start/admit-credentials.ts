import type { TokenVerifier } from '../../rpc/identity.ts';
import { isMeshToken } from '../../rpc/identity.ts';
import type { Invocable } from '../../rpc/invoke.ts';
import type { ServerCall } from '../../rpc/server-call.ts';

/**
 * Returns the methods of the gRPC port so that calls without a token of the mesh go to `callers`, which authenticates them. Methods that it
 * does not have accept tokens of the mesh only.
 */
export function admitCredentials(
  methods: readonly Invocable[],
  callers: readonly Invocable[],
  verifier: Pick<TokenVerifier, 'known'>,
): readonly Invocable[] {
  const forCallers = new Map(callers.map((invocable) => [invocable.method, invocable]));
  const isOfMesh = ({ credentials }: ServerCall) => {
    if (credentials === undefined) return false;
    const token = credentials.replace(/^Bearer /i, '');
    return verifier.known(token) !== undefined || isMeshToken(token);
  };
  return methods.map((own) => {
    const other = forCallers.get(own.method);
    if (other === undefined) return own;
    return {
      method: own.method,
      unary: (call, input) => (isOfMesh(call) ? own : other).unary(call, input),
      stream: (call, input) => (isOfMesh(call) ? own : other).stream(call, input),
    };
  });
}
