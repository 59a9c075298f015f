import { useEffect, useState } from 'react';
import type { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { Api } from '../api.ts';

/** Returns the roles of the caller; none until they are known, or if the server does not say. */
export function useRoles(api: Api | undefined): readonly Role[] {
  const [known, setKnown] = useState<{ api: Api; roles: readonly Role[] }>();
  useEffect(() => {
    if (api === undefined) return;
    const controller = new AbortController();
    api.caller.getCaller({}, { signal: controller.signal }).then(
      ({ caller }) => setKnown({ api, roles: caller?.roles ?? [] }),
      () => {}, // the page without sections still asks, and shows by its own calls what is wrong
    );
    return () => controller.abort();
  }, [api]);
  return known !== undefined && known.api === api ? known.roles : [];
}
