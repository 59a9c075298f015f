import { create } from '@bufbuild/protobuf';
import { GateCheckKind, GateCheckSchema, type GateReport } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { IndexClient } from '../../jobs/run/index-client.ts';
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
  const finding = `it is on trial with ${canaryPercent} % of the sessions and a shadow of ${shadowPercent} % of the searches`;
  report.checks.push(
    create(GateCheckSchema, {
      kind: GateCheckKind.TRIAL,
      passed: false,
      finding: `${finding}: approve or reject it`,
    }),
  );
}
