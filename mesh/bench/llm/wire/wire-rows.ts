import { median, type Row } from '../../measure.ts';

/** What a contender took, a figure a round. */
export interface Taken {
  /** Requests a second. */
  perSecond: number[];
  /** CPU of its process a request, in milliseconds; empty if the system does not report it. */
  cpuMs: number[];
}

/** The contenders' figures for one kind of reply. `peer`: `undefined` if it could not be installed. */
export interface Kind {
  label: string;
  edge: Taken;
  bare: Taken;
  peer: { label: string; taken: Taken } | undefined;
}

const least = { sense: '≥', bar: 3 } as const;
const third = { sense: '≤', bar: 1 / 3 } as const;
const triple = { sense: '≤', bar: 3 } as const;

/** Rows of the edge beside the peer and the bare proxy: each figure is the median of the ratios of the rounds, which take turns. */
export function wireRows({ label, edge, bare, peer }: Kind): Row[] {
  const names: [string, Taken][] = [
    ['edge', edge],
    ['bare proxy', bare],
  ];
  if (peer !== undefined) names.push([peer.label, peer.taken]);
  const rates = names.map(([name, taken]) => `${name} ${Math.round(median(taken.perSecond))}/s`).join(', ');
  const costs = names.map(([name, taken]) => `${name} ${median(taken.cpuMs).toFixed(3)} ms`).join(', ');
  const hasCpu = edge.cpuMs.length > 0;
  const rows: Row[] = [];
  const add = (name: string, measured: string, value: number, bar: Pick<Row, 'sense' | 'bar'>) =>
    rows.push({ name: `OpenAI wire, ${label}: ${name}`, measured, value, ...bar });
  if (peer !== undefined) {
    add(`edge : ${peer.label}, requests/s`, rates, ratio(edge.perSecond, peer.taken.perSecond), least);
    if (hasCpu) add(`edge : ${peer.label}, CPU a request`, costs, ratio(edge.cpuMs, peer.taken.cpuMs), third);
  }
  if (hasCpu) add('edge : bare proxy, CPU a request', costs, ratio(edge.cpuMs, bare.cpuMs), triple);
  return rows;
}

function ratio(own: readonly number[], other: readonly number[]): number {
  return median(own.map((value, round) => value / (other[round] ?? Number.NaN)));
}
