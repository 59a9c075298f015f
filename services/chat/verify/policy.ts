import { create } from '@bufbuild/protobuf';
import { ClaimFault, SentenceAction } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type VerificationConfig, VerificationConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';

/** What becomes of the sentences of a tenant's written answers. */
export interface VerificationPolicy {
  /** For a sentence with a wrong fact, or one that its passages deny. */
  readonly onWrongFact: SentenceAction;
  /** For a sentence whose support is below the minimum. */
  readonly onUnsupported: SentenceAction;
  /** Lowest support, 0 to 1. */
  readonly minSupport: number;
}

/** Returns the policy of each tenant: its own entry, otherwise the one without a tenant, otherwise the defaults. */
export function createPolicies(entries: readonly VerificationConfig[]): (tenant: string) => VerificationPolicy {
  const policies = new Map(entries.map((entry) => [entry.tenant, toPolicy(entry)]));
  const general = policies.get('') ?? toPolicy(create(VerificationConfigSchema));
  return (tenant) => policies.get(tenant) ?? general;
}

const toPolicy = ({ onWrongFact, onUnsupported, minSupport }: VerificationConfig): VerificationPolicy =>
  Object.freeze({ onWrongFact, onUnsupported, minSupport });

/** Returns what is done with a sentence that has a fault. */
export function actionFor(policy: VerificationPolicy, fault: ClaimFault | undefined): SentenceAction {
  if (fault === undefined) return SentenceAction.ANNOTATE;
  return fault === ClaimFault.SUPPORT ? policy.onUnsupported : policy.onWrongFact;
}
