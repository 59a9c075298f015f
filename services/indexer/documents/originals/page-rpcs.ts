import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { failedPrecondition, notFound, rpcError } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { IndexerSettings } from '../../config.ts';
import { UnreadableError } from '../../parse/parser.ts';
import type { Isolation } from '../../prepare/child/isolate.ts';
import { UploadBytesError } from '../../uploads/file-reader.ts';
import type { LiveContents } from '../live-contents.ts';
import type { Originals } from './originals.ts';

/** What showing pages needs. */
export interface PageRpcDeps {
  liveContents: Pick<LiveContents, 'visible'>;
  originals: Pick<Originals, 'find' | 'read'>;
  isolation: Pick<Isolation, 'renderPage'>;
  settings: Pick<IndexerSettings, 'keepsOriginals'>;
}

const usualWidth = 1000;
/** A message may have 4 MiB. */
const imageBytesMax = 3 << 20;
/** Pages that are made at the same time, each in a process of its own, and that wait; more are refused. */
const running = { max: 2, waiting: 32 };
const renderMs = 20_000;

/** Creates the rpc that shows pages. Access is that of the document; a corpus that is masked or not kept any more shows none. */
export function createPageRpcs(deps: PageRpcDeps): Pick<ServiceHandlers<typeof IndexerService>, 'renderPage'> {
  const turns = createTurns();
  return {
    async renderPage({ corpus, documentId, page, widthPixels }, context) {
      const { principal, signal } = context;
      const { tenant } = principal;
      const [live] = await deps.liveContents.visible(corpus, [documentId], context);
      if (live === undefined) throw notFound('document', documentId, ErrorReason.DOCUMENT_NOT_FOUND);
      const isKept = deps.settings.keepsOriginals(tenant, corpus);
      const original = isKept ? await deps.originals.find({ tenant, corpus }, live, signal) : undefined;
      if (original === undefined) throw notFound('original', documentId);
      const wish = { page, widthPixels: widthPixels || usualWidth, bytesMax: imageBytesMax };
      const render = () => deps.isolation.renderPage('pdf', deps.originals.read(original, signal), wish);
      const { image, pageCount } = await turns(
        () => within(render, { timeoutMs: renderMs, signals: [signal] }),
        signal,
      ).catch((error: unknown) => {
        if (error instanceof UnreadableError) throw failedPrecondition(error.reason, `the original ${error.message}`);
        if (error instanceof UploadBytesError) throw notFound('original', documentId);
        throw error;
      });
      if (image === undefined) throw notFound('page', String(page));
      return {
        image: image.png,
        widthPixels: image.width,
        heightPixels: image.height,
        pageWidth: image.pageWidth,
        pageHeight: image.pageHeight,
        pageCount,
      };
    },
  };
}

/** Returns a function that runs work in its turn. It throws RESOURCE_EXHAUSTED if too much waits. */
function createTurns(): <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T> {
  let runningCount = 0;
  const waiting: (() => void)[] = [];
  return async (work, signal) => {
    if (waiting.length >= running.waiting) {
      const message = `${running.waiting} pages wait to be shown: try again shortly`;
      throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 1000 });
    }
    if (runningCount >= running.max) await new Promise<void>((resolve) => waiting.push(resolve));
    else runningCount++;
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      // The place goes to the next one, or becomes free.
      const next = waiting.shift();
      if (next === undefined) runningCount--;
      else next();
    }
  };
}
