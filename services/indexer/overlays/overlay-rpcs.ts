import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type ListOverlaysRequest,
  type Overlay,
  OverlayKind,
  OverlayReplacementSchema,
  OverlaySchema,
  type OverlayService,
  OverlayState,
  type OverlayTarget,
} from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { failedPrecondition, invalidArgument, notFound } from '#kit/base/errors.ts';
import type { PersonalDataPolicy } from '#kit/personal-data/policy.ts';
import { canSee } from '#kit/rpc/access.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { accessListOf, fromPageToken, toPageToken } from '../convert.ts';
import type { DocumentStore } from '../documents/document-store.ts';
import type { LiveContents } from '../documents/live-contents.ts';
import { maskText } from '../prepare/mask-document.ts';
import { hashOfText, hasTarget } from './apply-overlays.ts';
import { type EditableDocument, originalOf, replacementOf } from './editable-document.ts';
import { moveOverlay } from './move-overlay.ts';
import type { NewRevision, OverlayStore, StoredOverlay } from './overlay-store.ts';

/** What the overlay rpcs need. */
export interface OverlayRpcDeps {
  overlays: OverlayStore;
  documents: DocumentStore;
  liveContents: LiveContents;
  /** Returns what is done with personal data in a corpus. */
  personalDataOf(tenant: string, corpus: string): PersonalDataPolicy | undefined;
  /** Starts the job that publishes a document with its overlays, and returns the job's id. */
  startEdit(corpus: string, documentId: string, context: CallContext): Promise<string>;
}

const chunksPerPage = 100;
/** Places of a chunk that are returned. */
const regionsMax = 64;
const overlaysPerPage = 50;

/** Creates the rpcs of overlays. A caller reaches only documents of the live version that it may see. */
export function createOverlayRpcs(deps: OverlayRpcDeps): ServiceHandlers<typeof OverlayService> {
  const { overlays, documents, liveContents } = deps;

  /** Returns documents of the live version as they were read, by id: those that the caller may see. */
  const sourcesOf = async (corpus: string, ids: readonly string[], context: CallContext) => {
    const live = await liveContents.visible(corpus, ids, context);
    const sources = await documents.sources({ tenant: context.principal.tenant, corpus }, live);
    const found = new Map<string, EditableDocument>();
    for (const { documentId, access } of live) {
      const source = sources.get(documentId);
      if (source?.chunks === undefined) continue;
      found.set(documentId, { ...source, chunks: source.chunks, groups: access?.groups ?? [] });
    }
    return found;
  };
  const requireSource = async (corpus: string, documentId: string, context: CallContext) => {
    const source = (await sourcesOf(corpus, [documentId], context)).get(documentId);
    if (source !== undefined) return source;
    const live = await liveContents.visible(corpus, [documentId], context);
    if (live.length === 0) throw notFound('document', documentId, ErrorReason.DOCUMENT_NOT_FOUND);
    const message = 'the document was indexed by an earlier release, without its chunks: upload it again, then edit it';
    throw failedPrecondition(ErrorReason.VERSION_STATE, message);
  };
  const put = async (
    target: OverlayTarget | undefined,
    context: CallContext,
    changeOf: (source: EditableDocument, current: StoredOverlay | undefined) => Pick<NewRevision, 'text' | 'isDeleted'>,
  ) => {
    if (target === undefined) throw invalidArgument('target: is missing');
    const { corpus, documentId, kind, contentHash } = target;
    const { tenant, user } = context.principal;
    const scope = { tenant, corpus };
    const source = await requireSource(corpus, documentId, context);
    const key = { documentId, kind, contentHash };
    const current = await overlays.find(scope, key);
    const change = changeOf(source, current);
    const original = current?.original ?? originalOf(source, key);
    const stored = await overlays.put(scope, {
      ...{ ...key, ...change, original },
      groups: source.groups,
      changedBy: user,
    });
    // The overlay is stored first: if the job cannot be added, the caller tries again, and any later job applies it.
    return { stored, jobId: await deps.startEdit(corpus, documentId, context) };
  };

  return {
    async listChunks({ corpus, documentId, pageSize, pageToken }, context) {
      const source = await requireSource(corpus, documentId, context);
      const current = await overlays.listOf({ tenant: context.principal.tenant, corpus }, [documentId]);
      const overlayOf = (kind: OverlayKind, contentHash: string) => {
        const found = current.find((overlay) => overlay.kind === kind && overlay.contentHash === contentHash);
        return found && toOverlay(corpus, found, OverlayState.APPLIES);
      };
      const size = pageSize || chunksPerPage;
      const first = pageToken === '' ? 0 : fromPageToken(pageToken, 'number')[0];
      const page = source.chunks.slice(first, first + size);
      const titleHash = hashOfText(source.title);
      return {
        title: source.title,
        titleHash,
        titleOverlay: overlayOf(OverlayKind.TITLE, titleHash),
        documentOverlay: overlayOf(OverlayKind.DOCUMENT, ''),
        documentBoostOverlay: overlayOf(OverlayKind.DOCUMENT_BOOST, ''),
        chunks: page.map(({ start, end, headingPath, regions = [] }, index) => {
          const text = source.text.slice(start, end);
          const textHash = hashOfText(text);
          return {
            ordinal: first + index,
            text,
            textHash,
            headingPath,
            overlay: overlayOf(OverlayKind.CHUNK, textHash),
            boostOverlay: overlayOf(OverlayKind.CHUNK_BOOST, textHash),
            regions: regions.slice(0, regionsMax),
          };
        }),
        nextPageToken: first + size < source.chunks.length ? toPageToken([first + size]) : '',
      };
    },

    async putOverlay({ target, change }, context) {
      const { stored, jobId } = await put(target, context, (source) => {
        checkChange(target as OverlayTarget, change.case);
        if (!hasTarget(source, target as OverlayTarget)) {
          throw failedPrecondition(ErrorReason.VERSION_STATE, 'the document has changed: call ListChunks again');
        }
        const { tenant } = context.principal;
        if (change.case === 'boost') return { text: String(change.value), isDeleted: false };
        const text =
          change.case === 'text'
            ? maskText(change.value, source, deps.personalDataOf(tenant, target?.corpus ?? ''))
            : undefined;
        return { text, isDeleted: false };
      });
      return { overlay: toOverlay(target?.corpus ?? '', stored, OverlayState.APPLIES), jobId };
    },

    async deleteOverlay({ target }, context) {
      const { jobId } = await put(target, context, (_, current) => {
        if (current === undefined) throw notFound('overlay', target?.contentHash ?? '');
        return { text: current.text, isDeleted: true };
      });
      return { jobId };
    },

    async moveOverlay({ target, toContentHash }, context) {
      if (target === undefined) throw invalidArgument('target: is missing');
      const { corpus, documentId, kind, contentHash } = target;
      const { tenant, user } = context.principal;
      const source = await requireSource(corpus, documentId, context);
      const from = { documentId, kind, contentHash };
      const moved = await moveOverlay(overlays, { scope: { tenant, corpus }, from, toContentHash, source, user });
      const jobId = await deps.startEdit(corpus, documentId, context);
      return { overlay: toOverlay(corpus, moved, OverlayState.APPLIES), jobId };
    },

    listOverlays: (request, context) => listOverlays(deps, sourcesOf, request, context),

    async listOverlayRevisions({ target }, context) {
      if (target === undefined) throw invalidArgument('target: is missing');
      const { corpus, documentId } = target;
      await requireSource(corpus, documentId, context);
      const revisions = await overlays.revisions({ tenant: context.principal.tenant, corpus }, target);
      return { revisions: revisions.map((revision) => toOverlay(corpus, revision, OverlayState.UNSPECIFIED)) };
    },
  };
}

/** Returns a page of the overlays that the caller may see, with their states. */
async function listOverlays(
  { overlays, liveContents }: OverlayRpcDeps,
  sourcesOf: (corpus: string, ids: readonly string[], context: CallContext) => Promise<Map<string, EditableDocument>>,
  { corpus, documentId, onlyConflicts, pageSize, pageToken }: ListOverlaysRequest,
  context: CallContext,
) {
  const scope = { tenant: context.principal.tenant, corpus };
  const size = pageSize || overlaysPerPage;
  const after = pageToken === '' ? undefined : fromPageToken(pageToken, 'string', 'number', 'string');
  const found = await overlays.list(scope, documentId, after, size + 1);
  const page = found.slice(0, size);
  const ids = [...new Set(page.map((overlay) => overlay.documentId))];
  const sources = await sourcesOf(corpus, ids, context);
  const held = await liveContents.held(
    corpus,
    ids.filter((id) => !sources.has(id)),
    context,
  );
  // Overlays of a document that the caller may not see are not shown. Of one that is gone, its last access list counts.
  const isVisible = ({ documentId: id, groups }: StoredOverlay) =>
    sources.has(id) || (!held.has(id) && canSee(context.principal, accessListOf(groups)));
  const visible = page.filter(isVisible).map((overlay) => toListed(corpus, overlay, sources.get(overlay.documentId)));
  const last = page.at(-1);
  return {
    overlays: onlyConflicts ? visible.filter(({ state }) => state !== OverlayState.APPLIES) : visible,
    nextPageToken:
      found.length > size && last !== undefined ? toPageToken([last.documentId, last.kind, last.contentHash]) : '',
  };
}

/** Returns an overlay with its state; a conflict with what the document has now in its place. */
function toListed(corpus: string, stored: StoredOverlay, source: EditableDocument | undefined): Overlay {
  const overlay = toOverlay(corpus, stored, stateOf(stored, source));
  if (source === undefined || overlay.state !== OverlayState.CONFLICT) return overlay;
  const replacement = replacementOf(source, stored);
  if (replacement !== undefined) overlay.replacement = create(OverlayReplacementSchema, replacement);
  return overlay;
}

function stateOf(overlay: StoredOverlay, source: EditableDocument | undefined): OverlayState {
  if (source === undefined) return OverlayState.ABSENT;
  return hasTarget(source, overlay) ? OverlayState.APPLIES : OverlayState.CONFLICT;
}

const changesOf: Partial<Record<OverlayKind, readonly string[]>> = {
  [OverlayKind.CHUNK]: ['text', 'hidden'],
  [OverlayKind.TITLE]: ['text'],
  [OverlayKind.DOCUMENT]: ['hidden'],
  [OverlayKind.CHUNK_BOOST]: ['boost'],
  [OverlayKind.DOCUMENT_BOOST]: ['boost'],
};

const isBoost = (kind: OverlayKind) => kind === OverlayKind.CHUNK_BOOST || kind === OverlayKind.DOCUMENT_BOOST;
const isOfDocument = (kind: OverlayKind) => kind === OverlayKind.DOCUMENT || kind === OverlayKind.DOCUMENT_BOOST;

function checkChange({ kind, contentHash }: OverlayTarget, change: string | undefined): void {
  const permitted = changesOf[kind] ?? [];
  if (change === undefined || !permitted.includes(change)) {
    throw invalidArgument(`change: an overlay of this kind has ${permitted.join(' or ')}`);
  }
  if ((contentHash === '') !== isOfDocument(kind)) {
    throw invalidArgument('target.content_hash: is that of the chunk or title, and empty for a document');
  }
}

function toOverlay(corpus: string, stored: StoredOverlay, state: OverlayState): Overlay {
  const { documentId, kind, contentHash, text } = stored;
  return create(OverlaySchema, {
    target: { corpus, documentId, kind, contentHash },
    revision: BigInt(stored.revision),
    text: isBoost(kind) ? '' : (text ?? ''),
    hidden: text === undefined,
    ...(isBoost(kind) && { boost: Number(text) }),
    original: stored.original,
    changedBy: stored.changedBy,
    changedAt: timestampFromMs(stored.changedAtMs),
    deleted: stored.isDeleted,
    state,
  });
}
