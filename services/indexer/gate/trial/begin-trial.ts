import { GateCheckKind, GateFindingKind, type GateReport } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { IndexClient } from '../../jobs/run/index-client.ts';
import { findingOf, toCheck } from '../check.ts';
import { hasTrial, type TrialShares } from '../gate-store.ts';

/**
 * Puts a version that has passed every check on trial if its gate wants that, and adds to the report that an operator decides. The first version
 * of a corpus has nothing to be compared with.
 */
export async function beginTrial(
  report: GateReport,
  { index, version }: { index: IndexClient; version: bigint },
  shares: TrialShares,
): Promise<void> {
  if (!hasTrial(shares) || report.liveVersion === 0n) return;
  await index.putTrial(version, shares);
  const { canaryPercent, shadowPercent } = shares;
  report.checks.push(
    toCheck({
      kind: GateCheckKind.TRIAL,
      passed: false,
      findings: [
        findingOf(GateFindingKind.CANARY, { count: canaryPercent }),
        findingOf(GateFindingKind.SHADOW, { count: shadowPercent }),
      ],
    }),
  );
}
