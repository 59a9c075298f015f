/** Units that can be compared: the dimension, and how many of its base unit one is. */
const DIMENSIONS: Readonly<Record<string, readonly [dimension: string, factor: number]>> = {
  second: ['time', 1],
  秒: ['time', 1],
  minute: ['time', 60],
  分: ['time', 60],
  hour: ['time', 3600],
  day: ['time', 86_400],
  week: ['time', 604_800],
  month: ['months', 1],
  year: ['months', 12],
  季: ['months', 3],
  个工作日: ['business days', 1],
  工作日: ['business days', 1],
  percent: ['percent', 1],
  折: ['percent', 10],
  cny: ['cny', 1],
  毛: ['cny', 0.1],
  usd: ['usd', 1],
  eur: ['eur', 1],
  gbp: ['gbp', 1],
  jpy: ['jpy', 1],
  hkd: ['hkd', 1],
  krw: ['krw', 1],
  rub: ['rub', 1],
  mg: ['mass', 0.001],
  g: ['mass', 1],
  克: ['mass', 1],
  斤: ['mass', 500],
  kg: ['mass', 1000],
  公斤: ['mass', 1000],
  千克: ['mass', 1000],
  mm: ['length', 1],
  毫米: ['length', 1],
  cm: ['length', 10],
  厘米: ['length', 10],
  米: ['length', 1000],
  km: ['length', 1e6],
  公里: ['length', 1e6],
  ml: ['volume', 1],
  l: ['volume', 1000],
  kb: ['bytes', 1],
  mb: ['bytes', 1e3],
  gb: ['bytes', 1e6],
  tb: ['bytes', 1e9],
  w: ['power', 1],
  kw: ['power', 1000],
  v: ['voltage', 1],
  mah: ['charge', 1],
  inch: ['inches', 1],
  inches: ['inches', 1],
  hz: ['frequency', 1],
};

/** An amount in the base unit of its dimension; "count" when the unit is a counting word, and no dimension when there is no unit. */
export interface Amount {
  value: number;
  dimension: string | undefined;
  /** The number as it was written. */
  written: string;
}

/** Reads a number of `readFacts`: "15 day", "0.5 year", "3 件", "number 2", "42". `undefined`: it is no single number (2.1.3). */
export function toAmount(fact: string): Amount | undefined {
  const [first = '', second] = fact.split(' ');
  const [written, unit] = first === 'number' ? [second ?? '', undefined] : [first, second];
  const value = Number(written);
  if (!Number.isFinite(value)) return undefined;
  const known = unit === undefined ? undefined : DIMENSIONS[unit];
  if (known === undefined) return { value, dimension: unit === undefined ? undefined : 'count', written };
  return { value: round(value * known[1]), dimension: known[0], written };
}

/** Compares computed amounts without the noise of floating point. */
export function round(value: number): number {
  return Number(value.toPrecision(12));
}
