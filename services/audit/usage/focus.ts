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

/**
 * Columns of an export in the FinOps Open Cost and Usage Specification 1.0 (focus.finops.org): the mandatory ones, and those of the others that the
 * ledger knows.
 */
export const focusColumns = [
  ...['BilledCost', 'BillingAccountId', 'BillingAccountName', 'BillingCurrency', 'BillingPeriodEnd'],
  ...['BillingPeriodStart', 'ChargeCategory', 'ChargeClass', 'ChargeDescription', 'ChargeFrequency'],
  ...['ChargePeriodEnd', 'ChargePeriodStart', 'ConsumedQuantity', 'ConsumedUnit', 'ContractedCost', 'EffectiveCost'],
  ...['InvoiceIssuerName', 'ListCost', 'PricingQuantity', 'PricingUnit', 'ProviderName', 'PublisherName'],
  ...['ResourceId', 'ResourceName', 'ResourceType', 'ServiceCategory', 'ServiceName', 'Tags'],
] as const;

/** Who charges the tenant: the installation. The ledger does not know whose models it calls. */
const issuer = 'ragmesh';

/** The code of ISO 4217 for "no currency", for usage without a price: FOCUS does not let the column be empty. */
const noCurrency = 'XXX';

/** Returns the cells of a row of the ledger by their columns. Costs are in the currency, quantities in tokens. */
export function focusRow(tenant: string, row: DayUsage): Record<(typeof focusColumns)[number], string> {
  const { day, model, user, key, costCentre, promptTokens, completionTokens, costMicros, currency } = row;
  const tags = { user, ...(key && { api_key: key }), ...(costCentre && { cost_centre: costCentre }) };
  const cost = microsText(costMicros);
  const tokens = String(promptTokens + completionTokens);
  const start = new Date(`${day}T00:00:00Z`);
  const [year, month] = [start.getUTCFullYear(), start.getUTCMonth()];
  const time = (timestampMs: number) => new Date(timestampMs).toISOString().replace('.000Z', 'Z');
  return {
    ...{ BilledCost: cost, ContractedCost: cost, EffectiveCost: cost, ListCost: cost },
    ...{ BillingAccountId: tenant, BillingAccountName: tenant, BillingCurrency: currency || noCurrency },
    ...{ BillingPeriodStart: time(Date.UTC(year, month, 1)), BillingPeriodEnd: time(Date.UTC(year, month + 1, 1)) },
    ...{ ChargeCategory: 'Usage', ChargeClass: '', ChargeFrequency: 'Usage-Based' },
    ChargeDescription: `Tokens of ${model}`,
    ...{ ChargePeriodStart: time(start.getTime()), ChargePeriodEnd: time(start.getTime() + 86_400_000) },
    ...{ ConsumedQuantity: tokens, ConsumedUnit: 'Tokens', PricingQuantity: tokens, PricingUnit: 'Tokens' },
    ...{ InvoiceIssuerName: issuer, ProviderName: issuer, PublisherName: issuer },
    ...{ ResourceId: model, ResourceName: model, ResourceType: 'Model' },
    ...{ ServiceCategory: 'AI and Machine Learning', ServiceName: 'LLM', Tags: JSON.stringify(tags) },
  };
}

/** Whether a row of the ledger is a charge: others only count answers. */
export function isCharge({ promptTokens, completionTokens, costMicros }: DayUsage): boolean {
  return promptTokens + completionTokens !== 0n || costMicros !== 0n;
}

/** Returns millionths as a decimal number, exactly. */
function microsText(micros: bigint): string {
  const sign = micros < 0n ? '-' : '';
  const amount = micros < 0n ? -micros : micros;
  return `${sign}${amount / 1_000_000n}.${String(amount % 1_000_000n).padStart(6, '0')}`;
}
