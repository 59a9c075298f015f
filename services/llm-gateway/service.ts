import { Code, type ServiceImpl } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type LLMGatewayService, Task } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { rpcError } from '#kit/errors.ts';
import { type GenerateDeps, generate, type Target } from './generate.ts';

/**
 * The rpcs of the gateway over its targets. The first one is the default; where it fails, those after it that write take over. One
 * that only quotes does not: the caller asks for it by name, with a question that stands alone, and says so in its answer.
 */
export function createLlmGateway(
  targets: readonly Target[],
  deps: GenerateDeps,
): ServiceImpl<typeof LLMGatewayService> {
  return {
    async *generate(request, { signal }) {
      const named =
        request.model === ''
          ? targets.filter(({ provider }, index) => index === 0 || provider.generative)
          : targets.filter(({ name }) => name === request.model);
      if (named.length === 0) throw unknownModel(request.model, targets);
      const isAnswer = request.task === Task.UNSPECIFIED || request.task === Task.ANSWER;
      const able = named.filter(({ provider }) => isAnswer || provider.generative);
      if (able.length === 0) {
        const message = `${named.map(({ name }) => name).join(', ')} only quotes evidence: this task needs a model that writes`;
        throw rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, message);
      }
      yield* generate(able, request, signal, deps);
    },
    listModels: () => ({
      models: targets.map(({ name, adapter, provider: { contextTokens, generative } }) => ({
        name,
        provider: adapter,
        contextTokens,
        generative,
      })),
    }),
  };
}

function unknownModel(model: string, targets: readonly Target[]) {
  const known = targets.map(({ name }) => name).join(', ');
  const message = `no model "${model}"; configured are: ${known}`;
  return rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, message, { metadata: { model } });
}
