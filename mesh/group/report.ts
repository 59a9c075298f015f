import { AggregatorRegistry, type Registry } from 'prom-client';
import type { ReadinessReport } from '#kit/host/readiness.ts';
import type { MemberReport, Role } from './messages.ts';

/** What one member of the group reports; `undefined`: it is being started, or does not answer. */
export interface NamedReport {
  readonly role: Role;
  readonly name: string;
  readonly report: MemberReport | undefined;
}

/**
 * Returns the readiness of the group, by service. The group cannot serve what the owner cannot, and what no worker can. What some workers
 * cannot serve, or a worker that is away, is degraded.
 */
export function groupReadiness(members: readonly NamedReport[]): ReadinessReport[] {
  const services = new Map<string, { notReady: string | undefined; degraded: Set<string> }>();
  const entryOf = (service: string) => {
    const entry = services.get(service) ?? { notReady: undefined, degraded: new Set<string>() };
    services.set(service, entry);
    return entry;
  };
  const workers = members.filter(({ role }) => role === 'worker');
  const owner = members.find(({ role }) => role === 'owner');
  for (const { report } of members) {
    for (const { service, degraded } of report?.readiness ?? []) {
      const entry = entryOf(service);
      for (const reason of degraded) entry.degraded.add(reason);
    }
  }
  for (const { service, notReady } of owner?.report?.readiness ?? []) entryOf(service).notReady = notReady;
  for (const [service, entry] of services) {
    const reasons = workers.map(({ name, report }) => reasonOf(service, name, report));
    const isServed = reasons.some((reason) => reason === undefined);
    if (!isServed) entry.notReady ??= reasons.find((reason) => reason !== undefined);
  }
  const away = members.filter(({ report }) => report === undefined).map(({ name }) => `${name}: not serving`);
  const isAway = owner?.report === undefined || workers.every(({ report }) => report === undefined);
  const group: ReadinessReport = isAway
    ? { service: 'group', notReady: away.join('; '), degraded: [] }
    : { service: 'group', notReady: undefined, degraded: away };
  return [group, ...[...services].map(([service, entry]) => ({ service, ...entry, degraded: [...entry.degraded] }))];
}

// A worker that does not run the service passes its calls to the owner.
function reasonOf(service: string, name: string, report: MemberReport | undefined): string | undefined {
  if (report === undefined) return `${name}: not serving`;
  const notReady = report.readiness.find((each) => each.service === service)?.notReady;
  return notReady === undefined ? undefined : `${name}: ${notReady}`;
}

/**
 * Returns the metrics of the group, together with those of `own`: counters, histograms and gauges are summed, and gauges that say
 * so are the largest, the smallest or the mean.
 */
export async function groupMetrics(members: readonly NamedReport[], own: Registry): Promise<Registry> {
  const all = [await own.getMetricsAsJSON(), ...members.flatMap(({ report }) => (report ? [report.metrics] : []))];
  return AggregatorRegistry.aggregate(all as object[]);
}
