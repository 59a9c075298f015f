import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';

/** The user that a session or an answer belongs to. */
export type Owner = Pick<Principal, 'tenant' | 'user'>;
