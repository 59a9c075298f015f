import type { CallOptions, Client } from '@connectrpc/connect';
import { z } from 'zod';
import { type TokenUsage, UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type LLMGatewayService, Outcome, ReasoningEffort, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type RerankCandidate, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { invalidReply } from '#kit/http/failure.ts';
import type { RerankModelDeps, RerankUsage } from '../../../models/rerank-model.ts';
import { orderMessages, orderSchema, readOrder } from './listwise-prompt.ts';
import { rankByWindows } from './sliding-windows.ts';

/** Longest answer that is read, in UTF-16 code units. */
const maxAnswerLength = 65_536;

/**
 * A language model behind the LLM gateway puts the candidates in order, some twenty at a time. Scores say the place alone: 1 for the first,
 * then down by equal steps; they are comparable within one answer and nowhere else.
 */
export const adapter = defineAdapter({
  settings: {
    model: z.string().describe('Name of the model at the gateway. Empty: its choice for routing tasks').default(''),
    window: z.int().min(2).max(100).describe('Candidates in one request').default(20),
    step: z
      .int()
      .min(1)
      .max(99)
      .describe('Candidates by which one window is before the last one; less than `window`')
      .default(10),
    max_candidates: z.int().min(2).max(1000).default(100),
    max_passage_length: z.int().min(100).max(100_000).describe('Characters of a passage that are read').default(2000),
    attempts: z
      .int()
      .min(1)
      .max(5)
      .describe('Times that a window is asked for; an answer that is no order counts as one')
      .default(2),
    reasoning: z.boolean().describe('Whether the model may think first').default(false),
  },
  create(settings, { path, llm }: RerankModelDeps) {
    const { window, step, attempts, max_passage_length: maxLength } = settings;
    if (step >= window)
      throw new ConfigError(`${path}.settings.step`, `is ${step}, and must be less than window (${window})`);
    const client = llm();
    const name = settings.model === '' ? 'llm' : `llm-${settings.model}`;

    const ask = async (query: string, candidates: readonly RerankCandidate[], options: CallOptions) => {
      const request = {
        model: settings.model,
        messages: orderMessages(query, candidates, maxLength),
        task: Task.ROUTE,
        temperature: 0,
        // A number and a comma take few tokens; thinking takes what it takes.
        maxTokens: settings.reasoning ? 0 : 64 + 8 * candidates.length,
        responseFormat: {
          form: {
            case: 'jsonSchema' as const,
            value: { name: 'passage_order', schemaJson: orderSchema, strict: true },
          },
        },
        reasoningEffort: settings.reasoning ? ReasoningEffort.UNSPECIFIED : ReasoningEffort.NONE,
      };
      return readAnswer(client, request, options);
    };

    return {
      name,
      scale: ScoreScale.UNIT,
      maxCandidates: settings.max_candidates,
      async *rerank(
        query: string,
        candidates: readonly RerankCandidate[],
        signal: AbortSignal,
        forward: () => CallOptions,
      ) {
        signal.throwIfAborted();
        const groups = groupAlike(candidates);
        const usages: TokenUsage[] = [];
        const ranked = await rankByWindows(groups, { size: window, step }, async (some) => {
          for (let attempt = 1; attempt <= attempts; attempt++) {
            signal.throwIfAborted();
            const options = { ...forward(), signal };
            const { text, usage } = await ask(
              query,
              some.map(({ candidate }) => candidate),
              options,
            );
            if (usage !== undefined) usages.push(usage);
            const order = readOrder(text, some.length);
            if (order !== undefined) return order;
          }
          throw invalidReply(name, `it is no order of the ${some.length} passages`);
        });
        const scores = ranked.flatMap(({ indexes }, place) =>
          indexes.map((index) => ({ index, score: (ranked.length - place) / ranked.length })),
        );
        const usage = sum(usages);
        yield { scores, ...(usage && { usage }) };
      },
      close: async () => {},
    };
  },
});

/** Candidates of the same title and text, which get the same score and are asked about once. */
interface Alike {
  candidate: RerankCandidate;
  indexes: number[];
}

/** Alike candidates in an order that depends on nothing but themselves: by prior, then by their words. */
function groupAlike(candidates: readonly RerankCandidate[]): Alike[] {
  const groups = new Map<string, Alike & { prior: number }>();
  for (const [index, candidate] of candidates.entries()) {
    const key = JSON.stringify([candidate.title, candidate.text]);
    const group = groups.get(key) ?? { candidate, indexes: [], prior: 0 };
    group.indexes.push(index);
    group.prior = Math.max(group.prior, candidate.prior ?? 0);
    groups.set(key, group);
  }
  const sorted = [...groups].sort(([a, { prior }], [b, { prior: other }]) => other - prior || (a < b ? -1 : 1));
  return sorted.map(([, group]) => group);
}

/** The whole text of a generation, which must come to its end. */
async function readAnswer(
  client: Pick<Client<typeof LLMGatewayService>, 'generate'>,
  request: Parameters<Client<typeof LLMGatewayService>['generate']>[0],
  options: CallOptions,
): Promise<{ text: string; usage: TokenUsage | undefined }> {
  let text = '';
  let usage: TokenUsage | undefined;
  let outcome: Outcome = Outcome.UNSPECIFIED;
  for await (const { event } of client.generate(request, options)) {
    if (event.case === 'textDelta') text += event.value.text;
    else if (event.case === 'reset') text = '';
    else if (event.case === 'usage') usage = event.value;
    else if (event.case === 'done') outcome = event.value.outcome;
    if (text.length > maxAnswerLength) throw invalidReply('llm-gateway', 'it is far longer than an order');
  }
  if (outcome !== Outcome.COMPLETE) throw unavailable('llm-gateway', 'the model did not come to the end of its answer');
  return { text, usage };
}

function sum(usages: readonly TokenUsage[]): RerankUsage | undefined {
  if (usages.length === 0) return undefined;
  const isReported = usages.every(({ provenance }) => provenance === UsageProvenance.REPORTED);
  return {
    promptTokens: usages.reduce((total, { promptTokens }) => total + Number(promptTokens), 0),
    completionTokens: usages.reduce((total, { completionTokens }) => total + Number(completionTokens), 0),
    provenance: isReported ? UsageProvenance.REPORTED : UsageProvenance.ESTIMATED,
  };
}
