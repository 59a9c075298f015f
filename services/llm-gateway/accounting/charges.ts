import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ModelUsageSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { AttemptResult } from '../attempts/attempt-state.ts';
import type { Target } from '../targets/target.ts';

/** The usage of all charged attempts of a request, also of those whose answer the caller did not get. */
export interface Charges {
  /** Adds the usage of an attempt, if it is charged. */
  add(target: Target, result: AttemptResult): void;
  /** The usage of each charged attempt, for the ledger. */
  readonly usages: MessageInitShape<typeof ModelUsageSchema>[];
  /** Returns the sum, for the limits. */
  total(): { tokens: number; costMicros: bigint };
}

/** Creates empty charges. */
export function createCharges(): Charges {
  const usages: MessageInitShape<typeof ModelUsageSchema>[] = [];
  let tokens = 0;
  let costMicros = 0n;
  return {
    add({ name, adapter }, { isCharged, usage }) {
      if (!isCharged) return;
      usages.push({ model: name, provider: adapter, usage });
      tokens += Number(usage.promptTokens + usage.completionTokens);
      costMicros += usage.costMicros ?? 0n;
    },
    usages,
    total: () => ({ tokens, costMicros }),
  };
}
