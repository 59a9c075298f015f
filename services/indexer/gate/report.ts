import { fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { type GateReport, GateReportSchema } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';

/** Returns the text of a report, as the record of a job has it. */
export function toReportText(report: GateReport): string {
  return toJsonString(GateReportSchema, report);
}

/** Returns the report that the record of a job has; `undefined` if its version was not checked. */
export function reportOf(text: string): GateReport | undefined {
  return text === '' ? undefined : fromJsonString(GateReportSchema, text, { ignoreUnknownFields: true });
}
