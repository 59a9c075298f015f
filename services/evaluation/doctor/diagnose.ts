import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { DiagnoseRequest } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { Check } from './check.ts';
import { cacheHits, contextSize, historySize } from './checks/answers.ts';
import { rerank, timeouts } from './checks/calls.ts';
import { batching, chunkSizes } from './checks/indexing.ts';
import { coldStarts, expensiveModels, providerLimits } from './checks/models.ts';
import { countedBetween, createMetrics, type Sample } from './samples.ts';
import type { ReadMetrics } from './sources.ts';

/** In the order of CheckKind. */
const checks: readonly Check[] = [
  cacheHits,
  contextSize,
  expensiveModels,
  batching,
  coldStarts,
  providerLimits,
  historySize,
  chunkSizes,
  rerank,
  timeouts,
];

/** What a diagnosis works with. */
export interface DiagnoseDeps {
  readMetrics: ReadMetrics;
  /** The whole configuration. */
  config: Config;
  /** Tenants whose operators may see figures of the whole mesh. */
  platformTenants: readonly string[];
}

/** Judges a mesh. Throws PERMISSION_DENIED for a caller of another tenant than those of the platform. */
export async function diagnose(deps: DiagnoseDeps, { windowSeconds }: DiagnoseRequest, context: CallContext) {
  const { readMetrics, config, platformTenants } = deps;
  if (!platformTenants.includes(context.principal.tenant)) {
    const message =
      'the figures are of all tenants: only operators of the tenants in evaluation.platform_tenants see them';
    throw rpcError(Code.PermissionDenied, ErrorReason.ROLE_MISSING, message);
  }
  let before: Sample[] = [];
  if (windowSeconds > 0) {
    before = (await readMetrics(context.signal)).samples;
    await sleep(windowSeconds * 1000, context.signal);
  }
  const { samples, count, unreachable } = await readMetrics(context.signal);
  const metrics = createMetrics(windowSeconds > 0 ? counted(before, samples) : samples);
  return {
    checks: checks.map(({ kind, judge }) => ({ kind, ...judge(metrics, config) })),
    sourceCount: count,
    unreachableSources: unreachable,
  };
}

/** Gauges keep their values: only counts have a difference. */
const gauges = new Set(['ragmesh_llm_breaker_state', 'ai_cache_semantic_off']);

function counted(before: readonly Sample[], after: readonly Sample[]): Sample[] {
  const now = after.filter(({ name }) => gauges.has(name));
  return [...countedBetween(before, after).filter(({ name }) => !gauges.has(name)), ...now];
}
