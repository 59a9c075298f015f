import { median, percentile, type Row } from '../measure.ts';
import type { StallFree } from './stall-free.ts';

// The table of the gateway's benchmark. Without the peer there is nothing to hold its bars against.

const direct = 'direct';
const ours = ['gateway', 'edge'] as const;
const faces = { gateway: 'gateway, gRPC', edge: 'edge, OpenAI wire' } as const;
const noBar = { sense: '≤', bar: Number.POSITIVE_INFINITY } as const;
const ms = (value: number) => `${value.toFixed(2)} ms`;

/** Times of calls by contender, ascending, in milliseconds. */
export function latencyRows(times: ReadonlyMap<string, readonly number[]>, peer: string | undefined): Row[] {
  const at = (name: string, share: number) => percentile(times.get(name) ?? [], share);
  const added = (name: string, share: number) => at(name, share) - at(direct, share);
  const count = `${times.get(direct)?.length} calls each, 1 caller`;
  return ours.flatMap((name): Row[] => [
    ...[0.5, 0.99].map((share): Row => {
      const base = `direct ${ms(at(direct, share))}`;
      const other = peer === undefined ? '' : `, ${peer} adds ${ms(added(peer, share))}`;
      const measured = `${base}${other}; ${count}`;
      return { name: `${faces[name]}: added p${share * 100}, ms`, measured, value: added(name, share), ...noBar };
    }),
    ...(peer === undefined
      ? []
      : [
          {
            name: `${faces[name]} : ${peer}, added p99`,
            measured: `${ms(added(name, 0.99))} and ${ms(added(peer, 0.99))}`,
            value: added(name, 0.99) / added(peer, 0.99),
            ...(name === 'gateway' ? { sense: '≤' as const, bar: 0.33 } : noBar),
          },
        ]),
  ]);
}

/** How fast a contender is, a figure a round. */
export interface Rate {
  perSecond: number[];
  /** CPU of its process per request, in milliseconds; empty if the system does not report it. */
  cpuMs: number[];
}

/** Requests a second by contender. */
export function rateRows(rates: ReadonlyMap<string, Rate>, peer: string | undefined): Row[] {
  const perSecond = (name: string) => rates.get(name)?.perSecond ?? [];
  const shown = (name: string) => {
    const cpuMs = rates.get(name)?.cpuMs ?? [];
    const cpu = cpuMs.length === 0 ? '' : ` (CPU ${ms(median(cpuMs))} each)`;
    return `${Math.round(median(perSecond(name))).toLocaleString('en')}/s${cpu}`;
  };
  return ours.map((name): Row => {
    const others = [direct, ...(peer === undefined ? [] : [peer])].map((other) => `${other} ${shown(other)}`);
    const measured = `${shown(name)}, ${others.join(', ')}; 32 callers`;
    if (peer === undefined) {
      return { name: `${faces[name]}: requests/s`, measured, value: median(perSecond(name)), ...noBar };
    }
    return {
      name: `${faces[name]} : ${peer}, requests/s`,
      measured,
      value: median(perSecond(name).map((value, round) => value / (perSecond(peer)[round] ?? Number.NaN))),
      ...(name === 'gateway' ? { sense: '≥' as const, bar: 4 } : noBar),
    };
  });
}

/** What a contender carries. */
export interface Streams extends StallFree {
  /** CPU of its process a delta, in microseconds. */
  cpuUs: number | undefined;
}

/** Streams that each carried. */
export function streamRows(found: ReadonlyMap<string, Streams>, peer: string | undefined): Row[] {
  const streams = (name: string) => found.get(name)?.streams ?? 0;
  const shown = (name: string) => {
    const { atLeast = false, cpuUs } = found.get(name) ?? {};
    const cpu = cpuUs === undefined ? '' : ` (CPU ${cpuUs.toFixed(0)} µs a delta)`;
    return `${atLeast ? 'at least ' : ''}${streams(name)}${cpu}`;
  };
  return ours.map((name): Row => {
    const measured = `${shown(name)}, direct ${shown(direct)}${peer === undefined ? '' : `, ${peer} ${shown(peer)}`}; 64 deltas, 20 ms apart`;
    if (peer === undefined) {
      return { name: `${faces[name]}: streams without a stall`, measured, value: streams(name), ...noBar };
    }
    return {
      name: `${faces[name]} : ${peer}, streams without a stall`,
      measured,
      // If the peer carries not even one, the machine was too busy for a result.
      value: streams(peer) > 0 ? streams(name) / streams(peer) : name === 'gateway' ? Number.NaN : 0,
      ...(name === 'gateway' ? { sense: '≥' as const, bar: 8 } : noBar),
    };
  });
}

/** Memory of the gateway over its requests: the last quarter against the first. */
export function memoryRow(rssBytes: readonly number[], heapBytes: readonly number[], requestCount: number): Row {
  const quarter = Math.max(1, Math.floor(rssBytes.length / 4));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const first = mean(rssBytes.slice(0, quarter));
  const last = mean(rssBytes.slice(-quarter));
  const mb = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
  return {
    name: 'gateway: memory, last quarter : first quarter',
    measured: `${mb(first)} → ${mb(last)} MiB of RSS over ${requestCount.toLocaleString('en')} requests; heap, collected, by quarters ${heapBytes.map(mb).join(' ')} MiB`,
    value: last / first,
    sense: '≤',
    bar: 1.1,
  };
}
