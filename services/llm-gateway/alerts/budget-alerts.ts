import { Counter } from 'prom-client';
import type { LLMBudgetAlerts } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics/metrics.ts';
import { createSignedPost, type SignedPost } from '#kit/http/signed-post.ts';
import type { Demand, LimitStore, Scope } from '../limits/limit-store.ts';
import type { SpendWatch } from '../limits/limits.ts';
import { layerOf, limitName, nameOf } from '../limits/refusal.ts';
import { createCalendar, type Periods } from '../limits/windows.ts';
import { type BudgetKind, type Crossing, crossingsOf, hasBudget, isBudget } from './crossings.ts';

/** Reports budgets that reach a threshold to a webhook, once in each window of the budget, whatever the number of replicas. */
export interface BudgetAlerts extends SpendWatch {
  /** Replaces the settings; `undefined`: nothing is reported. */
  use(settings: LLMBudgetAlerts | undefined): void;
  /** Stops, and cancels reports in flight: another replica, or the next start, sends them. */
  close(): Promise<void>;
}

/** What alerts depend on. */
export interface BudgetAlertDeps {
  store: Pick<LimitStore, 'reserve' | 'settle' | 'read'>;
  fetch: typeof globalThis.fetch;
  /** Returns the currency of the budgets, ISO 4217; empty: no prices. */
  currency(): string;
  log: Logger;
  metrics: Metrics;
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  /** Time between two comparisons, in milliseconds. @default 2000 */
  checkMs?: number;
}

/** Thresholds if none are configured, in percent. */
const defaultPercents = [80, 100];
/** Scopes that wait for the next comparison; others are noted again with their next request. */
const maxNoted = 10_000;
/** Reports in flight. */
const maxSending = 8;

/** A scope that was used since the last comparison. */
interface Noted {
  tenant: string;
  scope: Scope;
  refused: Set<BudgetKind>;
}

interface Receiver {
  percents: readonly number[];
  post: SignedPost;
}

/** Creates the alerts, without a receiver. */
export function createBudgetAlerts(deps: BudgetAlertDeps): BudgetAlerts {
  const { store, log, clock, checkMs = 2000 } = deps;
  const noted = new Map<string, Noted>();
  const periodsAt = createCalendar();
  const closing = new AbortController();
  const sent = createCounter(deps.metrics);
  let receiver: Receiver | undefined;
  let checking: Promise<void> | undefined;

  const note = (tenant: string, scope: Scope, refused?: BudgetKind) => {
    if (receiver === undefined || !hasBudget(scope)) return;
    const place = JSON.stringify([tenant, scope.name]);
    const known = noted.get(place);
    if (known === undefined && noted.size >= maxNoted) return;
    const all = known?.refused ?? new Set();
    if (refused !== undefined) all.add(refused);
    noted.set(place, { tenant, scope, refused: all });
  };
  const report = async (tenant: string, crossing: Crossing, { post }: Receiver) => {
    const periods = periodsAt(clock());
    const claim = claimOf(tenant, crossing, deps.random);
    // The counters are those of all replicas, so one of them gets the claim. It ends with the window, as the money of it does.
    if (!(await store.reserve(claim)).admitted) return;
    const body = bodyOf(tenant, crossing, periods, deps.currency());
    const headers = { 'content-type': 'application/json', 'idempotency-key': body.id };
    const wasSent = await post(JSON.stringify(body), headers, closing.signal).then(
      () => true,
      (error: unknown) => {
        const fields = { event: 'budget_alert_failed', tenant, layer: body.layer, percent: body.percent, err: error };
        if (!closing.signal.aborted) log.error(fields, 'budget alert not sent');
        return false;
      },
    );
    sent.inc({ outcome: wasSent ? 'sent' : 'failed' });
    // What was not sent is claimed again after the next request of the scope.
    await store.settle(claim.id, { tokens: 0, costMicros: wasSent ? 1 : 0 });
  };
  const check = async () => {
    const current = receiver;
    const batch = [...noted.values()];
    noted.clear();
    if (current === undefined) return;
    for (const [tenant, ofTenant] of Map.groupBy(batch, (each) => each.tenant)) {
      const scopes = ofTenant.map(({ scope }) => scope);
      const uses = await store.read(tenant, scopes);
      const crossings = ofTenant.flatMap(({ scope, refused }, index) => {
        const use = uses[index];
        return use === undefined ? [] : crossingsOf(scope, use, refused, current.percents);
      });
      for (let start = 0; start < crossings.length && !closing.signal.aborted; start += maxSending) {
        const part = crossings.slice(start, start + maxSending);
        await Promise.all(part.map((crossing) => report(tenant, crossing, current)));
      }
    }
  };
  const timer = setInterval(() => {
    if (checking !== undefined || noted.size === 0) return;
    checking = check()
      .catch((error: unknown) => log.warn({ event: 'budget_check_failed', err: error }, 'budgets not compared'))
      .finally(() => {
        checking = undefined;
      });
  }, checkMs).unref();

  return {
    spent(tenant, scopes) {
      for (const scope of scopes) note(tenant, scope);
    },
    refused(tenant, scope, kind) {
      if (isBudget(kind)) note(tenant, scope, kind);
    },
    use(settings) {
      receiver = settings && readReceiver(settings, deps);
    },
    async close() {
      clearInterval(timer);
      closing.abort();
      await checking;
    },
  };
}

function readReceiver(settings: LLMBudgetAlerts, { clock, fetch }: BudgetAlertDeps): Receiver {
  const { url, secret, percents, timeoutMs, attempts } = settings;
  const options = { url, secret, timeoutMs, attempts, backoffMs: 500, clock, fetch };
  return {
    percents: percents.length === 0 ? defaultPercents : percents,
    post: createSignedPost({ dependency: 'budget alerts', ...options }),
  };
}

/** Returns the demand by which one replica gets the right to report a crossing: a budget of one, of the same window. */
function claimOf(tenant: string, { scope, kind, limitMicros, percent }: Crossing, random: () => number): Demand {
  const name = `alert:${percent}:${limitMicros}:${scope.name}`;
  const none = {
    requestsPerMinute: 0,
    tokensPerMinute: 0,
    costMicrosPerDay: 0,
    costMicrosPerMonth: 0,
    maxConcurrent: 0,
  };
  const id = `${name}.${kind}.${Math.floor(random() * 2 ** 48).toString(36)}`;
  return { id, tenant, scopes: [{ name, limits: { ...none, [kind]: 1 } }], tokens: 0, costMicros: 1 };
}

function bodyOf(tenant: string, crossing: Crossing, periods: Periods, currency: string) {
  const { scope, kind, limitMicros, usedMicros, percent } = crossing;
  const isDay = kind === 'costMicrosPerDay';
  const window = isDay ? periods.day : periods.month;
  const [layer, name, limit] = [layerOf(scope), nameOf(scope, tenant), limitName(kind)];
  return {
    type: 'budget_threshold',
    // The same in every replica and attempt.
    id: [tenant, layer, name, limit, window, limitMicros, percent].map(encodeURIComponent).join('/'),
    ...{ tenant, layer, name, limit, window, percent },
    ...{ limit_micros: limitMicros, used_micros: usedMicros, currency },
    resets_at: new Date(isDay ? periods.dayEndsAt : periods.monthEndsAt).toISOString(),
  };
}

function createCounter({ registry }: Metrics): Counter<'outcome'> {
  const counter = new Counter({
    name: 'ragmesh_llm_budget_alerts_total',
    help: 'Reports of budgets that reached a threshold, by outcome: sent, or failed after all attempts',
    labelNames: ['outcome'],
    registers: [registry],
  });
  for (const outcome of ['sent', 'failed'] as const) counter.inc({ outcome }, 0);
  return counter;
}
