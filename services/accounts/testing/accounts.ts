import type { MessageInitShape } from '@bufbuild/protobuf';
import { ApiKeyKind, type CreateApiKeyRequestSchema } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';

/** A request for the key of a service account that reads; `init` changes that. */
export function keyRequest(
  init: MessageInitShape<typeof CreateApiKeyRequestSchema> = {},
): MessageInitShape<typeof CreateApiKeyRequestSchema> {
  return { kind: ApiKeyKind.SERVICE_ACCOUNT, name: 'shop', roles: [Role.READER], ...init };
}

/** Roles of an administrator of a tenant who may give all roles of a tenant. */
export const administratorRoles = [
  ...[Role.ADMINISTRATOR, Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR, Role.MODEL_USER],
];
