import { useMutation, useQuery } from '@connectrpc/connect-query';
import { Button } from 'react-aria-components/Button';
import { type Overlay, OverlayService, OverlayState } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { useOperationTexts } from '../i18n/index.ts';
import { ActionFailure } from '../ui/reply.tsx';

interface ConflictsProps {
  corpus: string;
  documentId: string;
  onJob: (jobId: string) => void;
}

/** Edits whose text is no longer in the document: what was changed, into what, what is there now; each is applied to that, kept or dropped. */
export function Conflicts({ corpus, documentId, onJob }: ConflictsProps) {
  const texts = useOperationTexts();
  const overlays = useQuery(OverlayService.method.listOverlays, { corpus, documentId, onlyConflicts: true });
  const move = useMutation(OverlayService.method.moveOverlay, { onSuccess: ({ jobId }) => onJob(jobId) });
  const drop = useMutation(OverlayService.method.deleteOverlay, { onSuccess: ({ jobId }) => onJob(jobId) });
  const conflicts = (overlays.data?.overlays ?? []).filter(({ state }) => state === OverlayState.CONFLICT);
  if (conflicts.length === 0) return null;
  return (
    <Notice tone="warning" title={texts.document.conflicts(conflicts.length)} testId="conflicts">
      <p>{texts.document.conflictsText}</p>
      {conflicts.map((overlay) => (
        <Conflict
          key={`${overlay.target?.kind} ${overlay.target?.contentHash}`}
          overlay={overlay}
          isBusy={drop.isPending || move.isPending}
          onMove={(toContentHash) => overlay.target && move.mutate({ target: overlay.target, toContentHash })}
          onDrop={() => overlay.target && drop.mutate({ target: overlay.target })}
        />
      ))}
      <ActionFailure error={move.error ?? drop.error} />
    </Notice>
  );
}

interface ConflictProps {
  overlay: Overlay;
  isBusy: boolean;
  onMove: (toContentHash: string) => void;
  onDrop: () => void;
}

/** One edit: the text then, the edit, and the text now, side by side. */
function Conflict({ overlay, isBusy, onMove, onDrop }: ConflictProps) {
  const texts = useOperationTexts().document;
  const { original, text, hidden, boost, replacement } = overlay;
  const edited = boost === undefined ? (hidden ? texts.hidden : text) : texts.boosted(boost);
  return (
    <div className="conflict" data-testid="conflict">
      <div>
        <h3>{texts.wasRead}</h3>
        <p>{original}</p>
      </div>
      <div>
        <h3>{texts.wasEdited}</h3>
        <p>{edited}</p>
      </div>
      <div>
        <h3>{texts.isNow}</h3>
        <p>{replacement?.text ?? texts.nothingLike}</p>
      </div>
      <div className="conflict-actions">
        {replacement !== undefined && (
          <Button
            className="button"
            isDisabled={isBusy}
            onPress={() => onMove(replacement.contentHash)}
            data-testid="move-edit"
          >
            {texts.moveEdit}
          </Button>
        )}
        <Button className="button" isDisabled={isBusy} onPress={onDrop} data-testid="drop-edit">
          {texts.dropEdit}
        </Button>
        <span className="faint">{texts.keptEdit}</span>
      </div>
    </div>
  );
}
