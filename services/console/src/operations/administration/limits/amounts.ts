import type { MessageInitShape } from '@bufbuild/protobuf';
import type { SpendLimit, SpendLimitSchema } from '#gen/ragmesh/accounts/v1/limit_pb.ts';

/** The amounts of a limit, in the order of the form, by their names in `LimitStanding.kind`. */
export const amountKinds = {
  requests_per_minute: 'requestsPerMinute',
  tokens_per_minute: 'tokensPerMinute',
  cost_micros_per_day: 'costMicrosPerDay',
  cost_micros_per_month: 'costMicrosPerMonth',
  max_concurrent: 'maxConcurrent',
} as const;

/** The kind of an amount. */
export type AmountKind = keyof typeof amountKinds;

/** What the fields of a form say. */
export type AmountTexts = Record<AmountKind, string>;

export const kinds = Object.keys(amountKinds) as AmountKind[];
const noTexts = Object.fromEntries(kinds.map((kind) => [kind, ''])) as AmountTexts;
const isMoney = (kind: AmountKind) => kind.startsWith('cost_');

/** Returns what fields say of a limit; money in units of the currency. */
export function toTexts(limit: SpendLimit | undefined): AmountTexts {
  if (limit === undefined) return noTexts;
  const texts = kinds.map((kind) => {
    const amount = limit[amountKinds[kind]];
    if (amount === undefined) return [kind, ''];
    return [kind, isMoney(kind) ? String(Number(amount) / 1e6) : String(amount)];
  });
  return Object.fromEntries(texts) as AmountTexts;
}

/** Returns the limit of fields, with what the form does not show; `undefined`: a text is no positive amount, or there is none. */
export function fromTexts(
  texts: AmountTexts,
  before: SpendLimit | undefined,
): MessageInitShape<typeof SpendLimitSchema> | undefined {
  const amounts: Record<string, bigint | number> = {};
  for (const kind of kinds) {
    const text = texts[kind].trim();
    if (text === '') continue;
    const amount = Math.round(Number(text) * (isMoney(kind) ? 1e6 : 1));
    if (!Number.isSafeInteger(amount) || amount < 1) return undefined;
    amounts[amountKinds[kind]] = kind === 'max_concurrent' ? amount : BigInt(amount);
  }
  if (Object.keys(amounts).length === 0) return undefined;
  const { maxCompletionTokens } = before ?? {};
  return { ...amounts, ...(maxCompletionTokens !== undefined && { maxCompletionTokens }) };
}
