import type { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { Api } from '../api.ts';

/** What a section gets. */
export interface SectionProps {
  api: Api;
  /** For uploads, which do not go through the clients of `api`. */
  apiKey: string;
  /** Names and ids of the address, behind the section's own. */
  parts: readonly string[];
  roles: readonly Role[];
}
