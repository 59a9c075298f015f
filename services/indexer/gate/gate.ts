import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  GateMode,
  GateModeSchema,
  type GateReport,
  GateReportSchema,
  GateVerdict,
  GateVerdictSchema,
} from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import type { VersionSizes } from '../jobs/run/version-sizes.ts';
import type { IndexerMetrics } from '../metrics.ts';
import { toCheck } from './check.ts';
import { type ContentsFacts, checkContents, checkSize } from './contents.ts';
import type { GateStore } from './gate-store.ts';
import { checkLeaks, type LeakFacts } from './leaks.ts';
import { checkQuestions, type QuestionDeps } from './questions.ts';
import { beginTrial } from './trial/begin-trial.ts';

/** What the gate needs. */
export interface GateDeps extends QuestionDeps {
  gates: GateStore;
  metrics: Pick<IndexerMetrics, 'gateTotal'>;
  /** Returns the time in milliseconds since 1970. */
  clock: () => number;
  log: Logger;
}

/** The version to check, and what its job knows of it. */
export interface GateFacts extends ContentsFacts, LeakFacts {
  sizes: VersionSizes;
}

/**
 * Checks a version that was built, before readers see it, and returns the report; `undefined` if the corpus has no gate. Throws UNAVAILABLE
 * if a search was incomplete: the version is neither proven nor refuted.
 */
export async function runGate(facts: GateFacts, deps: GateDeps): Promise<GateReport | undefined> {
  const { job, version, sizes } = facts;
  const gate = await deps.gates.find(job);
  if (gate.mode === GateMode.OFF) return undefined;
  return withSpan('indexer.gate', { 'ragmesh.gate': enumName(GateModeSchema, gate.mode) }, async () => {
    const report = create(GateReportSchema, {
      version,
      liveVersion: sizes.live.version,
      checkedAt: timestampFromMs(deps.clock()),
      checks: [await checkContents(facts), checkSize(facts), await checkLeaks(facts, deps)].map(toCheck),
    });
    if (gate.mode === GateMode.JUDGED) await checkQuestions(report, facts, gate, deps);
    if (report.checks.every(({ passed }) => passed)) await beginTrial(report, facts, gate.trial);
    report.verdict = report.checks.every(({ passed }) => passed) ? GateVerdict.PASSED : GateVerdict.HELD;
    const verdict = enumName(GateVerdictSchema, report.verdict).toLowerCase();
    deps.metrics.gateTotal.inc({ verdict });
    deps.log.info(
      {
        event: 'version_checked',
        job_id: job.jobId,
        version: Number(version),
        verdict,
      },
      'index version checked',
    );
    return report;
  });
}
