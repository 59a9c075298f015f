import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { GateCheckKind, type GateReport, GateReportSchema } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { isOperator } from '../jobs/rights.ts';

/** Returns the text of a report, as the record of a job has it. */
export function toReportText(report: GateReport): string {
  return toJsonString(GateReportSchema, report);
}

/** Returns the report that the record of a job has; `undefined` if its version was not checked. */
export function reportOf(text: string): GateReport | undefined {
  return text === '' ? undefined : fromJsonString(GateReportSchema, text, { ignoreUnknownFields: true });
}

/**
 * Returns what the caller may see of a gate's report. Only operators see how many documents the corpus has and how its judged questions were
 * answered; others see which checks passed, and what was found in the documents that the job wrote.
 */
export function gateShownTo(principal: Principal, report: GateReport | undefined): GateReport | undefined {
  if (report === undefined || isOperator(principal)) return report;
  const { version, liveVersion, verdict, checkedAt, decision } = report;
  const checks = report.checks.map((check) =>
    check.kind === GateCheckKind.CONTENTS || check.kind === GateCheckKind.LEAKS
      ? check
      : { kind: check.kind, passed: check.passed },
  );
  return create(GateReportSchema, { version, liveVersion, verdict, checks, checkedAt, decision });
}
