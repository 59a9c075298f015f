import { CheckKind, Verdict } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { type Check, figure, share, tooLittle } from '../check.ts';

const minSearches = 50;
/** Share of searches that rerank must change to be worth its time. */
const worthShare = 0.05;
const lateShare = 0.05;

/** Rerank: on, in time, and worth it. */
export const rerank: Check = {
  kind: CheckKind.RERANK,
  judge(metrics, config) {
    const effects = metrics.by('ragmesh_rerank_total', 'effect');
    const of = (effect: string) => effects.get(effect) ?? 0;
    const asked = of('none') + of('order') + of('first') + of('failed');
    if (config.retrieval?.rerankCandidates === 0) {
      const finding = 'rerank is off';
      const advice =
        'measure what it gains with npm run eval -- <folder> --ablation, and turn it on (retrieval.rerank_candidates) if it does';
      return { verdict: Verdict.IMPROVE, finding, evidence: [], advice };
    }
    if (asked < minSearches) return tooLittle('reranked searches', asked, minSearches);
    const evidence = [
      figure('reranked searches', asked),
      share('another first passage', of('first'), asked),
      share('another order below it', of('order'), asked),
      share('failed or late', of('failed'), asked),
    ];
    if (of('failed') / asked > lateShare) {
      const finding = `rerank fails or is late in ${Math.round((of('failed') / asked) * 100)} of 100 searches, which then keep their fused order`;
      const advice = 'give it more time (retrieval.rerank_timeout_ms), fewer candidates, or a faster model';
      return { verdict: Verdict.BAD, finding, evidence, advice };
    }
    const changed = of('first') + of('order');
    const finding = `rerank changes ${Math.round((changed / asked) * 100)} of 100 searches, and the first passage of ${Math.round((of('first') / asked) * 100)}`;
    if (changed / asked >= worthShare) return { verdict: Verdict.GOOD, finding, evidence };
    const advice =
      'it changes next to nothing: measure it with npm run eval -- <folder> --ablation, and turn it off if it gains nothing';
    return { verdict: Verdict.IMPROVE, finding, evidence, advice };
  },
};

const minCalls = 100;
const failedShare = 0.001;
const skippedShare = 0.01;

/** Deadlines, retries, breakers and skipped stages. */
export const timeouts: Check = {
  kind: CheckKind.TIMEOUTS,
  judge(metrics) {
    const calls = metrics.sum('ragmesh_rpc_total');
    if (calls < minCalls) return tooLittle('calls', calls, minCalls);
    const late = metrics.sum('ragmesh_rpc_total', { code: 'DeadlineExceeded' });
    const away = metrics.sum('ragmesh_rpc_total', { code: 'Unavailable' });
    const answers = metrics.sum('ragmesh_answer_total');
    const skipped = [...metrics.by('ragmesh_degradation_total', 'stage')].sort(([, a], [, b]) => b - a);
    const skippedCount = skipped.reduce((sum, [, count]) => sum + count, 0);
    const open = [...metrics.by('ragmesh_llm_breaker_state', 'model')].filter(([, state]) => state >= 2);
    const evidence = [
      figure('calls', calls),
      share('ended at their deadline', late, calls),
      share('refused as unavailable', away, calls),
      share('answers without a stage', skippedCount, answers),
      figure('open circuit breakers', open.length),
    ];
    if (open.length > 0) {
      const finding = `the circuit breaker of ${open.map(([model]) => model).join(', ')} is open`;
      const advice =
        'see the attempts of the model by result (ragmesh_llm_attempt_total): its provider fails; its requests go to fallbacks meanwhile';
      return { verdict: Verdict.BAD, finding, evidence, advice };
    }
    if ((late + away) / calls > failedShare) {
      const finding = `${late + away} of ${calls} calls ended at their deadline or as unavailable`;
      const advice =
        'see which method in ragmesh_rpc_total by code: add replicas of its service, or lengthen the time of its stage';
      return { verdict: Verdict.BAD, finding, evidence, advice };
    }
    const [[stage, count] = ['', 0]] = skipped;
    if (answers > 0 && skippedCount / answers > skippedShare) {
      const finding = `${skippedCount} of ${answers} answers were given without a stage, most often ${stage.toLowerCase()} (${count})`;
      const advice = 'lengthen the time of that stage, or make its model faster: answers without it are worse';
      return { verdict: Verdict.IMPROVE, finding, evidence, advice };
    }
    return {
      verdict: Verdict.GOOD,
      finding: 'calls end in time, no circuit breaker is open, no stage is skipped often',
      evidence,
    };
  },
};
