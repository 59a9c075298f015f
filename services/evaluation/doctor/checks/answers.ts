import { CheckKind, Verdict } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { type Check, figure, share, tooLittle } from '../check.ts';

const minLookups = 100;
const minPrompts = 20;
/** Share of hits below which a cache is worth a look; a help centre has .5 to .8. */
const lowHitShare = 0.3;
const layers = ['L1', 'L2', 'L3'];

/** Hit rate of the answer cache. */
export const cacheHits: Check = {
  kind: CheckKind.CACHE_HITS,
  judge(metrics, config) {
    const lookups = metrics.sum('ai_cache_lookup_total');
    if (lookups < minLookups) return tooLittle('look-ups', lookups, minLookups);
    const hits = metrics.by('ai_cache_hit_total', 'layer');
    const hitCount = [...hits.values()].reduce((sum, count) => sum + count, 0);
    const evidence = [
      figure('look-ups', lookups),
      share('hits', hitCount, lookups),
      ...[...new Set([...layers, ...hits.keys()])].map((layer) =>
        share(`hits in ${layer}`, hits.get(layer) ?? 0, lookups),
      ),
    ];
    const finding = `${Math.round((hitCount / lookups) * 100)} of 100 look-ups are hits`;
    if (hitCount / lookups >= lowHitShare) return { verdict: Verdict.GOOD, finding, evidence };
    const semanticOff = metrics.sum('ai_cache_semantic_off') > 0 || config.cache?.semantic === undefined;
    const advice = semanticOff
      ? 'run npm run cache:warm after each publish; calibrate the semantic layer (npm run cache:calibrate), which serves paraphrases'
      : 'run npm run cache:warm after each publish; see ai_cache_semantic_refused_total for what keeps paraphrases out; lengthen cache times if versions change rarely';
    return { verdict: Verdict.IMPROVE, finding, evidence, advice };
  },
};

/** Evidence of a prompt beyond which answers become slower and not better, in tokens. */
const manyEvidenceTokens = 4000;

/** Size of the evidence. */
export const contextSize: Check = {
  kind: CheckKind.CONTEXT_SIZE,
  judge(metrics) {
    const evidenceTokens = metrics.distribution('ragmesh_prompt_tokens', { part: 'evidence' });
    if (evidenceTokens.count < minPrompts) return tooLittle('prompts', evidenceTokens.count, minPrompts);
    const p95 = evidenceTokens.quantile(0.95);
    const evidence = [
      figure('prompts', evidenceTokens.count),
      figure('mean', Math.round(evidenceTokens.mean), 'tokens'),
      figure('95 of 100 have at most', p95, 'tokens'),
    ];
    const finding = `the passages of a prompt have ${Math.round(evidenceTokens.mean)} tokens on average`;
    if (evidenceTokens.mean <= manyEvidenceTokens) return { verdict: Verdict.GOOD, finding, evidence };
    const advice =
      'ask for fewer passages (top_k), lower chat.prompt_budget_tokens, or let a reranker choose among more candidates';
    return { verdict: Verdict.IMPROVE, finding, evidence, advice };
  },
};

/** Share of a prompt that history may have before it displaces evidence. */
const largeHistoryShare = 0.3;

/** Growth of histories. */
export const historySize: Check = {
  kind: CheckKind.HISTORY_SIZE,
  judge(metrics, config) {
    const history = metrics.distribution('ragmesh_prompt_tokens', { part: 'history' });
    const passages = metrics.distribution('ragmesh_prompt_tokens', { part: 'evidence' });
    if (history.count < minPrompts) return tooLittle('prompts', history.count, minPrompts);
    const part = history.mean / (history.mean + passages.mean);
    const evidence = [
      figure('prompts', history.count),
      figure('mean history', Math.round(history.mean), 'tokens'),
      figure('95 of 100 have at most', history.quantile(0.95), 'tokens'),
      share('of history and evidence', history.mean, history.mean + passages.mean),
    ];
    const finding = `the history is ${Math.round(part * 100)} of 100 tokens of history and evidence`;
    if (part <= largeHistoryShare) return { verdict: Verdict.GOOD, finding, evidence };
    const turns = config.chat?.historyTurns;
    const advice = `lower chat.history_turns${turns === undefined ? '' : ` (now ${turns})`}: old turns displace evidence and make every prompt longer`;
    return { verdict: Verdict.IMPROVE, finding, evidence, advice };
  },
};
