import { useMutation } from '@connectrpc/connect-query';
import type { Overlay, OverlayTarget } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { ActionFailure } from '../ui/reply.tsx';

interface BoostProps {
  target: Omit<OverlayTarget, '$typeName'>;
  overlay: Overlay | undefined;
  /** A change has started this job. */
  onJob: (jobId: string) => void;
}

/** How far searches raise a chunk or a document among what they find. */
export function Boost({ target, overlay, onJob }: BoostProps) {
  const texts = useOperationTexts().document;
  const onSuccess = ({ jobId }: { jobId: string }) => onJob(jobId);
  const put = useMutation(OverlayService.method.putOverlay, { onSuccess });
  const withdraw = useMutation(OverlayService.method.deleteOverlay, { onSuccess });
  const current = overlay?.boost ?? 0;
  const steps = new Map(texts.boosts.map((label, index) => [(index - 2) / 2, label]));
  // Other programs set values between the steps.
  if (!steps.has(current)) steps.set(current, String(current));
  const choose = (value: string) => {
    const boost = Number(value);
    if (boost === current || put.isPending || withdraw.isPending) return;
    if (boost === 0) withdraw.mutate({ target });
    else put.mutate({ target, change: { case: 'boost', value: boost } });
  };
  return (
    <>
      <Choice
        label={texts.boost}
        isLabelHidden
        value={String(current)}
        options={[...steps].sort(([a], [b]) => b - a).map(([value, label]) => ({ value: String(value), label }))}
        onChange={choose}
        testId="boost"
      />
      <ActionFailure error={put.error ?? withdraw.error} />
    </>
  );
}
