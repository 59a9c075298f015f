/** Usage of a user with a model on a day, by one key, for one cost centre. */
export interface DayUsage {
  /** UTC, YYYY-MM-DD. */
  day: string;
  model: string;
  user: string;
  /** Id of the API key; empty: none, or not known. */
  key: string;
  /** Empty: none, or not known. */
  costCentre: string;
  answerCount: bigint;
  cachedCount: bigint;
  promptTokens: bigint;
  completionTokens: bigint;
  costMicros: bigint;
  currency: string;
}

/** Columns of an export in the FinOps Open Cost and Usage Specification 1.0 (focus.finops.org), those that the ledger knows. */
export const focusColumns = [
  ...['BilledCost', 'BillingCurrency', 'BillingPeriodStart', 'BillingPeriodEnd', 'ChargeCategory', 'ChargeClass'],
  ...[
    'ChargeDescription',
    'ChargeFrequency',
    'ChargePeriodStart',
    'ChargePeriodEnd',
    'ConsumedQuantity',
    'ConsumedUnit',
  ],
  ...['ContractedCost', 'EffectiveCost', 'ListCost', 'ResourceId', 'ResourceName', 'ResourceType'],
  ...['ServiceCategory', 'ServiceName', 'Tags'],
] as const;

/** Returns the cells of a row of the ledger in the order of {@link focusColumns}. Costs are in the currency, quantities in tokens. */
export function focusRow(row: DayUsage): string[] {
  const { day, model, user, key, costCentre, promptTokens, completionTokens, costMicros, currency } = row;
  const tags = { user, ...(key && { api_key: key }), ...(costCentre && { cost_centre: costCentre }) };
  const cost = microsText(costMicros);
  const start = new Date(`${day}T00:00:00Z`);
  const [year, month] = [start.getUTCFullYear(), start.getUTCMonth()];
  const end = new Date(start.getTime() + 86_400_000);
  const time = (date: Date) => date.toISOString().replace('.000Z', 'Z');
  return [
    ...[cost, currency, time(new Date(Date.UTC(year, month, 1))), time(new Date(Date.UTC(year, month + 1, 1)))],
    ...['Usage', '', `Tokens of ${model}`, 'Usage-Based', time(start), time(end)],
    ...[String(promptTokens + completionTokens), 'Tokens', cost, cost, cost, model, model, 'Model'],
    ...['AI and Machine Learning', 'LLM', JSON.stringify(tags)],
  ];
}

/** Returns millionths as a decimal number, exactly. */
function microsText(micros: bigint): string {
  const sign = micros < 0n ? '-' : '';
  const amount = micros < 0n ? -micros : micros;
  return `${sign}${amount / 1_000_000n}.${String(amount % 1_000_000n).padStart(6, '0')}`;
}
