import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ModelUsageSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { AttemptResult } from '../attempts/attempt-state.ts';
import type { Target } from '../targets/target.ts';

/** What the attempts of a request have used: what was paid for, whoever's answer the caller got. */
export interface Charges {
  /** Takes in what an attempt came to; what a provider does not want money for is left out. */
  add(target: Target, result: AttemptResult): void;
  /** Each charged attempt's usage, for the ledger. */
  readonly usages: MessageInitShape<typeof ModelUsageSchema>[];
  /** All of it, for the limits. */
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
