import { Code, type ServiceImpl } from '@connectrpc/connect';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { internal, invalidArgument, rpcError } from '#kit/errors.ts';
import type { RerankModel } from './rerank-model.ts';

/** A model under the name that callers use. */
export interface NamedModel {
  name: string;
  model: RerankModel;
}

/** The rpcs of the rerank service over its models; the first one is the default. */
export function createRerank(models: readonly NamedModel[]): ServiceImpl<typeof RerankService> {
  const find = (name: string): NamedModel => {
    const found = name === '' ? models[0] : models.find((candidate) => candidate.name === name);
    if (found !== undefined) return found;
    const known = models.map((candidate) => candidate.name).join(', ');
    const message = `no rerank model "${name}"; configured are: ${known}`;
    throw rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, message, { metadata: { model: name } });
  };
  return {
    async *rerank({ query, candidates, model: wanted }, { signal }) {
      const { name, model } = find(wanted);
      if (candidates.length > model.maxCandidates) {
        throw invalidArgument(`${name} takes at most ${model.maxCandidates} candidates, not ${candidates.length}`);
      }
      const missing = new Set(candidates.keys());
      let promptTokens: number | undefined;
      for await (const { scores, promptTokens: tokens } of model.rerank(query, candidates, signal)) {
        for (const { index } of scores) {
          // A provider that scores a candidate twice, or one that was not asked for, would mix up passages in silence.
          if (!missing.delete(index)) throw internal(new Error(`${name} scored candidate ${index} twice or unasked`));
        }
        if (tokens !== undefined) promptTokens = (promptTokens ?? 0) + tokens;
        yield { event: { case: 'scored', value: { passages: scores } } };
      }
      if (missing.size > 0) throw internal(new Error(`${name} left ${missing.size} candidates without a score`));
      const usage = promptTokens === undefined ? undefined : reportedUsage(promptTokens);
      yield { event: { case: 'done', value: { model: name, scale: model.scale, ...(usage && { usage }) } } };
    },
  };
}

function reportedUsage(promptTokens: number) {
  return { promptTokens: BigInt(promptTokens), provenance: UsageProvenance.REPORTED };
}
