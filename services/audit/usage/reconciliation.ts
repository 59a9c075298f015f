import { invalidArgument } from '#kit/base/errors.ts';

/** Money of a model on a day, in the currency. */
export interface DayCost {
  /** UTC, YYYY-MM-DD. */
  day: string;
  model: string;
  cost: number;
}

/** What the ledger and a provider say of a model on a day. */
export interface Difference {
  day: string;
  model: string;
  ledger: number;
  provider: number;
}

/** Differences below it come from rounding to millionths. */
const smallest = 0.000_001;

/** Compares costs by day and model. `share`: the sum of all differences, whatever their sign, as a share of the provider's total. */
export function compareCosts(ledger: readonly DayCost[], provider: readonly DayCost[]) {
  const byPlace = new Map<string, Difference>();
  const add = (side: 'ledger' | 'provider', { day, model, cost }: DayCost) => {
    const place = JSON.stringify([day, model]);
    const known = byPlace.get(place) ?? { day, model, ledger: 0, provider: 0 };
    known[side] += cost;
    byPlace.set(place, known);
  };
  for (const cost of ledger) add('ledger', cost);
  for (const cost of provider) add('provider', cost);
  const all = [...byPlace.values()];
  const sumOf = (value: (each: Difference) => number) => all.reduce((sum, each) => sum + value(each), 0);
  const total = { ledger: sumOf((each) => each.ledger), provider: sumOf((each) => each.provider) };
  const apart = sumOf((each) => Math.abs(each.ledger - each.provider));
  const share = total.provider > 0 ? apart / total.provider : apart > smallest ? 1 : 0;
  const differences = all
    .filter((each) => Math.abs(each.ledger - each.provider) > smallest)
    .toSorted((a, b) => a.day.localeCompare(b.day) || a.model.localeCompare(b.model));
  return { differences, share, total };
}

/**
 * Returns the costs of a provider's export: CSV with a header line. `columns` names those of the day, the model and the cost. Throws INVALID_ARGUMENT
 * with the number of a line that cannot be read.
 */
export function parseCosts(text: string, columns: readonly [day: string, model: string, cost: string]): DayCost[] {
  const [header, ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const names = cellsOf(header ?? '').map((name) => name.trim().toLowerCase());
  const [dayAt = 0, modelAt = 0, costAt = 0] = columns.map((column) => {
    const index = names.indexOf(column.trim().toLowerCase());
    if (index < 0) throw invalidArgument(`the file has no column "${column}"; it has: ${names.join(', ')}`);
    return index;
  });
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const cells = cellsOf(line);
    const day = /^\d{4}-\d{2}-\d{2}/.exec(cells[dayAt]?.trim() ?? '')?.[0];
    const costText = cells[costAt]?.trim() ?? '';
    const cost = Number(costText);
    if (day === undefined || costText === '' || Number.isNaN(cost)) {
      throw invalidArgument(`line ${index + 2} has no day or no cost: ${line.slice(0, 80)}`);
    }
    return [{ day, model: cells[modelAt]?.trim() ?? '', cost }];
  });
}

/** Returns the cells of a line (RFC 4180, without line breaks in cells). */
function cellsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, bare]) =>
    quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'),
  );
}
