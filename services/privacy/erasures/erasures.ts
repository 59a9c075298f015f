import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { CallOptions } from '@connectrpc/connect';
import { type Erasure, ErasureSchema } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { ErasurePosition, Records } from '../records/records.ts';
import type { ErasureRow } from '../records/schema.ts';
import { type Found, type Stores, stepsOf, type Target } from './stores.ts';

/** Who asks for an erasure. */
export interface Requester {
  tenant: string;
  user: string;
}

/** What erasures need. */
export interface ErasureDeps {
  records: Records;
  stores: Stores;
  /** Returns options of a call with the rights of a service for a user; each has a new token. */
  actFor(who: Requester, signal: AbortSignal): Promise<CallOptions>;
  newId(): string;
  clock: () => number;
  log: Logger;
}

/** The erasures of all tenants. */
export interface Erasures {
  /** Records an erasure and runs it; an erasure with the same id is continued. Throws FAILED_PRECONDITION if a hold keeps the target. */
  run(requester: Requester, erasureId: string, target: Target, signal: AbortSignal): Promise<Erasure>;
  /** Returns an erasure. Throws NOT_FOUND. */
  get(tenant: string, erasureId: string): Promise<Erasure>;
  /** Returns a page of erasures, the latest first. Throws INVALID_ARGUMENT for a token of something else. */
  list(tenant: string, pageSize: number, pageToken: string): Promise<{ erasures: Erasure[]; nextPageToken: string }>;
  /** Runs what was interrupted: erasures that were asked for at least `minAgeMs` ago. */
  resume(minAgeMs: number, signal: AbortSignal): Promise<void>;
}

/** Receipts of a page if the request names no number. */
const defaultPageSize = 50;

/** The steps that have ended, and what each has found. */
type Done = Record<string, Found[]>;

/** Creates the erasures. Steps are repeatable, so it is harmless that two replicas run one erasure. */
export function createErasures({ records, stores, actFor, newId, clock, log }: ErasureDeps): Erasures {
  const complete = async (row: ErasureRow, signal: AbortSignal): Promise<Erasure> => {
    if (row.finished_at !== null) return toErasure(row);
    const requester = { tenant: row.tenant, user: row.requested_by };
    const done = JSON.parse(row.done) as Done;
    const target = JSON.parse(row.target) as Target;
    for (const { name, run } of stepsOf(stores, row.id, target)) {
      if (done[name] !== undefined) continue;
      signal.throwIfAborted();
      await records.requireNoHold(row.tenant, target.kind === 'user' ? target.user : '');
      done[name] = await run(() => actFor(requester, signal), signal);
      await records.saveErasure({ ...row, done: JSON.stringify(done) });
    }
    const finished = { ...row, done: JSON.stringify(done), target: '', finished_at: clock() };
    await records.saveErasure(finished);
    log.info({ event: 'erasure_finished', tenant: row.tenant, erasure_id: row.id }, 'erasure finished');
    return toErasure(finished);
  };

  return {
    async run({ tenant, user }, erasureId, target, signal) {
      await records.requireNoHold(tenant, target.kind === 'user' ? target.user : '');
      // Recorded first: a kill cannot leave it half done.
      const row = await records.addErasure({
        ...{ tenant, id: erasureId || newId(), target: JSON.stringify(target), requested_by: user },
        ...{ requested_at: clock(), finished_at: null, done: '{}' },
      });
      return complete(row, signal);
    },
    async get(tenant, erasureId) {
      return toErasure(await records.getErasure(tenant, erasureId));
    },
    async list(tenant, pageSize, pageToken) {
      const size = pageSize || defaultPageSize;
      const rows = await records.listErasures(tenant, parsePageToken(pageToken), size + 1);
      const page = rows.slice(0, size);
      const last = rows.length > size ? page.at(-1) : undefined;
      return {
        erasures: page.map(toErasure),
        nextPageToken: last === undefined ? '' : `${last.requested_at}.${last.id}`,
      };
    },
    async resume(minAgeMs, signal) {
      for (const row of await records.openErasures(clock() - minAgeMs)) {
        if (signal.aborted) return;
        await complete(row, signal).catch((error: unknown) => {
          if (signal.aborted) return;
          log.warn({ event: 'erasure_retry', erasure_id: row.id, err: error }, 'erasure incomplete, retrying');
        });
      }
    },
  };
}

function parsePageToken(token: string): ErasurePosition | undefined {
  if (token === '') return undefined;
  const [, time, id] = /^(\d{1,15})\.([A-Za-z0-9_-]{1,64})$/.exec(token) ?? [];
  if (time === undefined || id === undefined) {
    throw invalidArgument('page_token is not from ListErasures: start again without one');
  }
  return { requestedAt: Number(time), id };
}

function toErasure({ id, requested_by, requested_at, finished_at, done }: ErasureRow): Erasure {
  const stores = Object.values(JSON.parse(done) as Done).flat();
  return create(ErasureSchema, {
    erasureId: id,
    requestedBy: requested_by,
    requestedAt: timestampFromMs(requested_at),
    ...(finished_at === null ? {} : { finishedAt: timestampFromMs(finished_at) }),
    stores: stores.map(({ store, found, left = 0 }) => ({
      store,
      foundCount: BigInt(found),
      leftCount: BigInt(left),
    })),
  });
}
