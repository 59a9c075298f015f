import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { SourceService, SourceSettings } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { failedPrecondition, invalidArgument, notFound } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { fromPageToken, toPageToken } from '../convert.ts';
import { toSource, toSourceRun } from './convert.ts';
import { checkSourceSettings, type OpenSource, type SourceSecret } from './open-source.ts';
import type { EntryStore } from './records/entry-store.ts';
import type { RunStore } from './records/run-store.ts';
import type { SourceRecord, SourceStore } from './records/source-store.ts';
import { removeDocuments } from './remove-documents.ts';
import type { BatchDeps } from './run/batch.ts';
import { nextRunAtMs } from './schedule.ts';
import type { SyncEvent } from './sync-state.ts';
import { testSource } from './test-source.ts';

/** Dependencies of the source rpcs. */
export interface SourceRpcDeps extends BatchDeps {
  sources: SourceStore;
  entries: EntryStore;
  runs: RunStore;
  open: OpenSource;
  secrets: readonly SourceSecret[];
  /** Makes a scheduler look for sources that are due. */
  wake(): void;
  clock: () => number;
}

/** Creates the rpcs of sources. They see only sources of the caller's tenant whose groups the caller has. */
export function createSourceRpcs(deps: SourceRpcDeps): ServiceHandlers<typeof SourceService> {
  const { sources, entries, runs, clock } = deps;
  const find = async (sourceId: string, { principal }: CallContext): Promise<SourceRecord> => {
    const source = await sources.find(principal.tenant, sourceId);
    if (!mayUse(source, principal)) throw notFound('source', sourceId);
    return source;
  };
  const shown = async (source: SourceRecord) => ({ source: toSource(source, await entries.count(source.sourceId)) });
  const change = async (sourceId: string, context: CallContext, event: SyncEvent) => {
    await find(sourceId, context);
    const source = await sources.change(context.principal.tenant, sourceId, event);
    deps.wake();
    return shown(source);
  };

  return {
    async createSource({ settings }, { principal }) {
      const { tenant, user, groups } = principal;
      const sourceId = deps.newId();
      const checked = await check(settings, tenant, sourceId, deps);
      const source = await sources.add({ sourceId, tenant, settings: checked, user, groups });
      deps.wake();
      return shown(source);
    },

    async updateSource({ sourceId, settings }, context) {
      const source = await find(sourceId, context);
      const checked = await check(settings, source.tenant, sourceId, deps);
      const { name, corpus, adapter } = source.settings;
      if (checked.name !== name || checked.corpus !== corpus || checked.adapter !== adapter) {
        throw invalidArgument(
          'settings: name, corpus and adapter of a source stay: create another source, delete this one',
        );
      }
      const isMoved = JSON.stringify(checked.settings ?? {}) !== JSON.stringify(source.settings.settings ?? {});
      const event = { kind: 'changed', isMoved, nextRunAtMs: clock() } as const;
      const changed = await sources.change(source.tenant, sourceId, event, checked);
      deps.wake();
      return shown(changed);
    },

    getSource: async ({ sourceId }, context) => shown(await find(sourceId, context)),

    async listSources({ pageSize, pageToken }, { principal }) {
      const limit = pageSize || 50;
      const [afterName] = pageToken === '' ? [''] : fromPageToken(pageToken, 'string');
      const found = await sources.list({ tenant: principal.tenant, afterName, limit: limit + 1 });
      const page = found.slice(0, limit);
      const visible = page.filter((source) => mayUse(source, principal));
      const last = page.at(-1);
      return {
        sources: await Promise.all(visible.map(async (source) => (await shown(source)).source)),
        nextPageToken: found.length > limit && last !== undefined ? toPageToken([last.settings.name]) : '',
      };
    },

    async deleteSource({ sourceId, removeDocuments: isWithDocuments }, context) {
      const source = await find(sourceId, context);
      // First, so that a run in progress adds nothing to what is removed.
      await sources.seize(source.tenant, sourceId);
      const jobId = isWithDocuments ? await removeDocuments(source, deps, context.signal) : '';
      await sources.remove(sourceId);
      return { jobId };
    },

    async testSource({ source }, context) {
      const { tenant } = context.principal;
      if (source.case === 'sourceId') {
        const { settings } = await find(source.value, context);
        return testSource(() => deps.open(tenant, source.value, settings), settings.adapter, clock, context.signal);
      }
      if (source.case === undefined) throw invalidArgument('source: name one, or give settings');
      const settings = source.value;
      return testSource(() => deps.open(tenant, deps.newId(), settings), settings.adapter, clock, context.signal);
    },

    async runSource({ sourceId, dryRun, full }, context) {
      const { state } = await find(sourceId, context);
      if (state.isPaused && !dryRun) {
        throw failedPrecondition(ErrorReason.JOB_STATE, 'the source is paused: resume it, or run it dry');
      }
      const what = dryRun ? 'dry' : full ? 'full' : 'run';
      return change(sourceId, context, { kind: 'requested', what });
    },

    pauseSource: ({ sourceId }, context) => change(sourceId, context, { kind: 'paused' }),

    resumeSource: ({ sourceId }, context) => change(sourceId, context, { kind: 'resumed', nowMs: clock() }),

    async listSourceRuns({ sourceId, pageSize, pageToken }, context) {
      await find(sourceId, context);
      const limit = pageSize || 20;
      const before = pageToken === '' ? undefined : fromPageToken(pageToken, 'number')[0];
      const found = await runs.list(sourceId, before, limit + 1);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const hasMore = found.length > limit && last !== undefined;
      return { runs: page.map(toSourceRun), nextPageToken: hasMore ? toPageToken([last.number]) : '' };
    },

    async listSourceDeletions({ sourceId, pageSize, pageToken }, context) {
      await find(sourceId, context);
      const limit = pageSize || 100;
      const [afterId] = pageToken === '' ? [''] : fromPageToken(pageToken, 'string');
      const found = await entries.confirmed(sourceId, afterId, limit + 1);
      const entryIds = found.slice(0, limit);
      const last = entryIds.at(-1);
      return { entryIds, nextPageToken: found.length > limit && last !== undefined ? toPageToken([last]) : '' };
    },

    async approveDeletions({ sourceId, removalCount }, context) {
      const { state } = await find(sourceId, context);
      if (state.heldCount === 0 || BigInt(state.heldCount) > removalCount) {
        const message = `the source holds ${state.heldCount} removals: look at them again (ListSourceDeletions)`;
        throw failedPrecondition(ErrorReason.JOB_STATE, message);
      }
      return change(sourceId, context, { kind: 'approved', removalCount: Number(removalCount) });
    },
  };
}

/** Reports whether a caller has every group with which the source acts. */
function mayUse({ groups }: SourceRecord, principal: CallContext['principal']): boolean {
  return groups.every((group) => principal.groups.includes(group));
}

async function check(
  settings: SourceSettings | undefined,
  tenant: string,
  sourceId: string,
  { secrets, clock }: SourceRpcDeps,
): Promise<SourceSettings> {
  if (settings === undefined) throw invalidArgument('settings: are missing');
  nextRunAtMs(settings.schedule, sourceId, clock());
  await checkSourceSettings(tenant, settings, secrets);
  return settings;
}
