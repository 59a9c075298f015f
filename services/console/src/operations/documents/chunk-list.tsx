import { useMutation } from '@connectrpc/connect-query';
import { Fragment, type ReactNode, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { ListChunksResponse, Overlay, OverlayTarget } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { OverlayKind, OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { Field } from '../ui/field.tsx';
import { ActionFailure } from '../ui/reply.tsx';
import { useDraft } from '../ui/use-draft.ts';
import { Boost } from './boost.tsx';
import { ChunkPage } from './chunk-page.tsx';
import { Revisions } from './revisions.tsx';

interface ChunkListProps {
  corpus: string;
  documentId: string;
  pages: readonly ListChunksResponse[];
  /** Whether the pages of the document can be shown. */
  hasPages: boolean;
  /** A change has started this job. */
  onJob: (jobId: string) => void;
  onMore: (() => void) | undefined;
}

/** The title and the chunks of a document, each as readers get it, and to be edited. */
export function ChunkList({ corpus, documentId, pages, hasPages, onJob, onMore }: ChunkListProps) {
  const texts = useOperationTexts();
  const first = pages[0];
  const targetOf = (kind: OverlayKind, contentHash: string) => ({ corpus, documentId, kind, contentHash });
  return (
    <section className="chunks" aria-label={texts.document.chunks}>
      {first !== undefined && (
        <Part
          key={`title ${first.titleHash}`}
          name={texts.document.title}
          text={first.title}
          overlay={first.titleOverlay}
          target={targetOf(OverlayKind.TITLE, first.titleHash)}
          onJob={onJob}
        />
      )}
      {pages
        .flatMap(({ chunks }) => chunks)
        .map((chunk) => (
          <Fragment key={`${chunk.ordinal} ${chunk.textHash}`}>
            <Part
              name={chunk.headingPath.join(' › ') || texts.document.chunk(chunk.ordinal + 1)}
              text={chunk.text}
              overlay={chunk.overlay}
              target={targetOf(OverlayKind.CHUNK, chunk.textHash)}
              canHide
              boost={
                <Boost
                  target={targetOf(OverlayKind.CHUNK_BOOST, chunk.textHash)}
                  overlay={chunk.boostOverlay}
                  onJob={onJob}
                />
              }
              onJob={onJob}
            />
            {hasPages && chunk.regions.length > 0 && (
              <ChunkPage corpus={corpus} documentId={documentId} regions={chunk.regions} />
            )}
          </Fragment>
        ))}
      {onMore !== undefined && (
        <Button className="button" onPress={onMore}>
          {texts.more}
        </Button>
      )}
    </section>
  );
}

interface PartProps {
  name: string;
  /** As it was read. */
  text: string;
  overlay: Overlay | undefined;
  target: Omit<OverlayTarget, '$typeName'>;
  canHide?: boolean;
  /** How its place in searches is changed. */
  boost?: ReactNode;
  onJob: (jobId: string) => void;
}

/** A part of a document with its edit. */
function Part({ name, text, overlay, target, canHide = false, boost, onJob }: PartProps) {
  const texts = useOperationTexts();
  const { cancel } = useMessages();
  const kept = useDraft(`edit/${target.corpus}/${target.documentId}/${target.kind}/${target.contentHash}`);
  const draft = kept.fields.text;
  const [isHistoryOpen, setHistoryOpen] = useState(false);
  const put = useMutation(OverlayService.method.putOverlay, { onSuccess: ({ jobId }) => finish(jobId) });
  const withdraw = useMutation(OverlayService.method.deleteOverlay, { onSuccess: ({ jobId }) => finish(jobId) });
  const finish = (jobId: string) => {
    kept.discard();
    onJob(jobId);
  };
  const isHidden = overlay?.hidden === true;
  const shown = overlay !== undefined && !isHidden ? overlay.text : text;
  const isBusy = put.isPending || withdraw.isPending;
  return (
    <article className="chunk" data-hidden={isHidden} data-testid="chunk">
      <header className="chunk-head">
        <h3>{name}</h3>
        {isHidden && <Badge tone="warning">{texts.document.hidden}</Badge>}
        {overlay !== undefined && !isHidden && <Badge tone="busy">{texts.document.edited}</Badge>}
        {draft === undefined && (
          <span className="chunk-actions">
            {boost}
            <Button className="button quiet" onPress={() => kept.change({ text: shown })} data-testid="edit">
              {texts.document.edit}
            </Button>
            {canHide && !isHidden && (
              <Button
                className="button quiet"
                isDisabled={isBusy}
                onPress={() => put.mutate({ target, change: { case: 'hidden', value: true } })}
                data-testid="hide"
              >
                {texts.document.hide}
              </Button>
            )}
            {overlay !== undefined && (
              <>
                <Button
                  className="button quiet"
                  isDisabled={isBusy}
                  onPress={() => withdraw.mutate({ target })}
                  data-testid="withdraw"
                >
                  {texts.document.withdraw}
                </Button>
                <Button
                  className="button quiet"
                  aria-expanded={isHistoryOpen}
                  onPress={() => setHistoryOpen(!isHistoryOpen)}
                  data-testid="revisions"
                >
                  {texts.document.revisions}
                </Button>
              </>
            )}
          </span>
        )}
      </header>
      {draft === undefined ? (
        <p className="chunk-text">{shown}</p>
      ) : (
        <form
          className="chunk-edit"
          onSubmit={(event) => {
            event.preventDefault();
            put.mutate({ target, change: { case: 'text', value: draft } });
          }}
        >
          <Field
            label={name}
            value={draft}
            onChange={(text) => kept.change({ text })}
            rows={Math.min(20, draft.split('\n').length + 3)}
            testId="chunk-text"
          />
          <Button
            type="submit"
            className="button primary"
            isDisabled={isBusy || draft.trim() === ''}
            data-testid="save"
          >
            {texts.document.publish}
          </Button>
          <Button className="button" onPress={kept.discard}>
            {cancel}
          </Button>
        </form>
      )}
      <ActionFailure error={put.error ?? withdraw.error} />
      {isHistoryOpen && <Revisions target={target} />}
    </article>
  );
}
