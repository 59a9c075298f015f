import { CheckKind, Verdict } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { type Check, figure, share, tooLittle } from '../check.ts';

const minAttempts = 20;
/** Share of the cost that one model may have beyond its share of the attempts. */
const costlyShare = 0.3;

/** Share of requests at the most expensive model. */
export const expensiveModels: Check = {
  kind: CheckKind.EXPENSIVE_MODELS,
  judge(metrics) {
    const attempts = metrics.by('ragmesh_llm_attempt_total', 'model');
    const total = sumOf(attempts);
    if (total < minAttempts) return tooLittle('attempts', total, minAttempts);
    const costs = metrics.by('ragmesh_llm_cost_micros_total', 'model');
    const totalCost = sumOf(costs);
    if (totalCost === 0) {
      const finding = 'no model has a price: cost is not counted';
      const advice = 'set llm_gateway prices of the models, unless they run on machines of your own';
      return { verdict: Verdict.GOOD, finding, evidence: [figure('attempts', total)], advice };
    }
    const priceOf = (model: string) => (costs.get(model) ?? 0) / Math.max(1, attempts.get(model) ?? 0);
    const [costliest = ''] = [...costs.keys()].sort((a, b) => priceOf(b) - priceOf(a));
    const [attemptPart, costPart] = [(attempts.get(costliest) ?? 0) / total, (costs.get(costliest) ?? 0) / totalCost];
    const evidence = [
      share(`attempts at ${costliest}`, attempts.get(costliest) ?? 0, total),
      share(`cost of ${costliest}`, costs.get(costliest) ?? 0, totalCost),
      figure(`an attempt at ${costliest}`, Math.round(priceOf(costliest)), 'millionths of the currency'),
    ];
    const finding = `${costliest}, the most expensive model, has ${percent(attemptPart)} of the attempts and ${percent(costPart)} of the cost`;
    if (costs.size < 2 || costPart - attemptPart <= costlyShare) return { verdict: Verdict.GOOD, finding, evidence };
    const advice = `route simple questions to a cheaper model: order the models by price, and keep ${costliest} for requests that name it`;
    return { verdict: Verdict.IMPROVE, finding, evidence, advice };
  },
};

/** A first token that takes this many times the median is a cold start. */
const coldFactor = 10;
const coldMs = 2000;

/** Cold starts. */
export const coldStarts: Check = {
  kind: CheckKind.COLD_STARTS,
  judge(metrics) {
    const first = metrics.distribution('ragmesh_llm_first_token_ms');
    if (first.count < minAttempts) return tooLittle('first tokens', first.count, minAttempts);
    const [median, p99] = [first.quantile(0.5), first.quantile(0.99)];
    const evidence = [
      figure('first tokens', first.count),
      figure('half within', median, 'ms'),
      figure('99 of 100 within', p99, 'ms'),
    ];
    const finding = `99 of 100 first tokens come within ${p99} ms, half within ${median} ms`;
    if (p99 < coldMs || p99 < median * coldFactor) return { verdict: Verdict.GOOD, finding, evidence };
    const advice =
      'keep the model loaded (keep_alive of Ollama, minimal replicas of vLLM), or add a second model as fallback with a first-token limit';
    return { verdict: Verdict.BAD, finding, evidence, advice };
  },
};

/** Share of attempts that a provider may refuse for its limits. */
const limitedShare = 0.01;
/** Ratio of the 95th percentile of first tokens to the median that says that the way to the provider is unsteady. */
const jitterFactor = 4;

/** Limits of providers, and jitter. */
export const providerLimits: Check = {
  kind: CheckKind.PROVIDER_LIMITS,
  judge(metrics) {
    const results = metrics.by('ragmesh_llm_attempt_total', 'result');
    const total = sumOf(results);
    if (total < minAttempts) return tooLittle('attempts', total, minAttempts);
    const limited = (results.get('rate-limited') ?? 0) + (results.get('quota') ?? 0) + (results.get('overloaded') ?? 0);
    const first = metrics.distribution('ragmesh_llm_first_token_ms');
    const [median, p95] = [first.quantile(0.5), first.quantile(0.95)];
    const evidence = [
      share('refused for a limit', limited, total),
      figure('half of the first tokens within', median, 'ms'),
      figure('95 of 100 within', p95, 'ms'),
    ];
    if (limited / total > limitedShare) {
      const finding = `providers refuse ${percent(limited / total)} of the attempts because of their limits`;
      const advice =
        'raise the quota, add a second provider or key as fallback, or lower max_concurrent of the model so that requests wait here and not there';
      return { verdict: Verdict.BAD, finding, evidence, advice };
    }
    if (p95 > median * jitterFactor && p95 > 1000) {
      const finding = `first tokens are unsteady: half come within ${median} ms, 95 of 100 within ${p95} ms`;
      const advice = 'hedge requests (llm_gateway.hedge), or use a region of the provider that is closer';
      return { verdict: Verdict.IMPROVE, finding, evidence, advice };
    }
    return { verdict: Verdict.GOOD, finding: 'providers refuse next to nothing, and are steady', evidence };
  },
};

const sumOf = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0);
const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
