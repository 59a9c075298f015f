import type { DescMethod } from '@bufbuild/protobuf';
import { Code, type ConnectError } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { policyOf, roleName } from '#kit/rpc/policy.ts';
import type { Caller } from '../credentials/authenticate.ts';
import { badField } from '../http/parse-fields.ts';

// Who may call models. To ask documents, the role "reader" is enough, and the operator chooses the model. All else needs what the
// contract says of callers from outside (RpcPolicy.edge_role), on every face: naming the model of an answer, completions of a plain
// model, embeddings, rerank. A key may be held to some models.

/** Throws PERMISSION_DENIED (ROLE_MISSING) if the contract asks callers from outside for a role that the principal lacks. */
export function requireEdgeRole(principal: Principal, method: DescMethod): void {
  const { edgeRole } = policyOf(method);
  if (edgeRole === Role.UNSPECIFIED || principal.roles.includes(edgeRole)) return;
  const role = roleName(edgeRole);
  const message = `calling models directly needs the role "${role}": ask the operator for it, or ask documents with the model "ragmesh"`;
  throw rpcError(Code.PermissionDenied, ErrorReason.ROLE_MISSING, message, { metadata: { role } });
}

/** Whether the caller may name a model or route. */
export function mayUseModel({ principal, models }: Caller, name: string): boolean {
  const { edgeRole } = policyOf(LLMGatewayService.method.generate);
  return principal.roles.includes(edgeRole) && (models === undefined || models.includes(name));
}

/** Whether the caller may use the default model, whichever that is. */
export function mayUseAnyModel({ principal, models }: Caller): boolean {
  return models === undefined && principal.roles.includes(policyOf(LLMGatewayService.method.generate).edgeRole);
}

/**
 * Throws if the caller may not name the model of an answer or completion: ROLE_MISSING without the role, MODEL_UNKNOWN if its key
 * leaves the model out. Empty: the default one answers from documents, which every reader may ask for.
 */
export function requireModel(caller: Caller, name: string): void {
  if (name === '') return;
  requireEdgeRole(caller.principal, LLMGatewayService.method.generate);
  if (!mayUseModel(caller, name)) throw unknownModel(name);
}

/**
 * Throws MODEL_UNKNOWN if the caller's key leaves the model of an embedding or rerank call out. Which model is the default one is not
 * known here, so a key with a list has to name its model.
 */
export function requireOwnModel({ models }: Caller, name: string): void {
  if (models === undefined || models.includes(name)) return;
  throw name === ''
    ? badField('model', 'is missing: these credentials may use some models only, so name one')
    : unknownModel(name);
}

/** A model that there is not, or that the caller may not use: the words are the same. */
export function unknownModel(name: string): ConnectError {
  const message = `no model "${name}" that these credentials may use: GET /v1/models lists those`;
  return rpcError(Code.NotFound, ErrorReason.MODEL_UNKNOWN, message, { metadata: { model: name } });
}
