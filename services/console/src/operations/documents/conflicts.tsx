import { useMutation, useQuery } from '@connectrpc/connect-query';
import { Button } from 'react-aria-components/Button';
import { OverlayService, OverlayState } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { useOperationTexts } from '../i18n/index.ts';
import { ActionFailure } from '../ui/reply.tsx';

interface ConflictsProps {
  corpus: string;
  documentId: string;
  onJob: (jobId: string) => void;
}

/** Edits whose text is no longer in the document: what was changed, into what, and a way to drop them. */
export function Conflicts({ corpus, documentId, onJob }: ConflictsProps) {
  const texts = useOperationTexts();
  const overlays = useQuery(OverlayService.method.listOverlays, { corpus, documentId, onlyConflicts: true });
  const drop = useMutation(OverlayService.method.deleteOverlay, { onSuccess: ({ jobId }) => onJob(jobId) });
  const conflicts = (overlays.data?.overlays ?? []).filter(({ state }) => state === OverlayState.CONFLICT);
  if (conflicts.length === 0) return null;
  return (
    <Notice tone="warning" title={texts.document.conflicts(conflicts.length)} testId="conflicts">
      <p>{texts.document.conflictsText}</p>
      {conflicts.map(({ target, original, text, hidden }) => (
        <div className="conflict" key={target?.contentHash}>
          <div>
            <h4>{texts.document.wasRead}</h4>
            <p>{original}</p>
          </div>
          <div>
            <h4>{texts.document.wasEdited}</h4>
            <p>{hidden ? texts.document.hidden : text}</p>
          </div>
          {target !== undefined && (
            <Button className="button" isDisabled={drop.isPending} onPress={() => drop.mutate({ target })}>
              {texts.document.dropEdit}
            </Button>
          )}
        </div>
      ))}
      <ActionFailure error={drop.error} />
    </Notice>
  );
}
