import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { RouteOrder } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type GenerateRequest, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { Catalog } from '../targets/catalog.ts';
import type { Target } from '../targets/target.ts';
import { filterTargets, missingOf, type Needs } from './filter.ts';
import { orderTargets } from './order.ts';

/**
 * Returns the targets of a request in the order to try them, at least one. A name is a model or a route. Without a name, it is the route of
 * the task, otherwise the first model and the generative ones after it: a model that only quotes is never an implicit fallback. Throws
 * MODEL_UNKNOWN, NOT_IMPLEMENTED and NO_MODEL_FITS.
 */
export function targetsFor(request: GenerateRequest, needs: Needs, catalog: Catalog, random: () => number): Target[] {
  const { targets, routes, prices } = catalog;
  const task = request.task || Task.ANSWER;
  const route = routes.find(({ name, tasks }) =>
    request.model === '' ? tasks.includes(task) : name === request.model,
  );
  const named =
    route?.targets ??
    (request.model === ''
      ? targets.filter(({ capabilities }, index) => index === 0 || capabilities.generative)
      : targets.filter(({ name }) => name === request.model));
  if (named.length === 0) throw unknownModel(request.model);
  const able = named.filter(({ capabilities }) => !needs.writing || capabilities.generative);
  if (able.length === 0) throw needsWriting(named);
  const eligible = filterTargets(able, needs);
  if (eligible.length === 0) throw noModelFits(able, needs);
  return orderTargets(eligible, route?.order ?? RouteOrder.LISTED, { needs, prices, random });
}

// The error does not list the models, because the caller may not be allowed to see them.
function unknownModel(model: string): ConnectError {
  const message = `no model or route "${model}": ListModels lists the names`;
  return rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, message, { metadata: { model } });
}

function needsWriting(targets: readonly Target[]): ConnectError {
  const names = targets.map(({ name }) => name).join(', ');
  const message = `${names} only quotes evidence: this task needs a generative model`;
  return rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, message);
}

function noModelFits(targets: readonly Target[], needs: Needs): ConnectError {
  const lacks = targets.map((target) => `${target.name} lacks ${missingOf(target, needs).join(', ')}`);
  const first = targets[0] === undefined ? [] : missingOf(targets[0], needs);
  const message = `no configured model can take the request: ${lacks.join('; ')}`;
  return rpcError(Code.InvalidArgument, ErrorReason.NO_MODEL_FITS, message, { metadata: { needs: first.join(', ') } });
}
