import { useMutation } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Confirm } from '../ui/confirm.tsx';
import { Field } from '../ui/field.tsx';

interface VersionDecisionProps {
  jobId: string;
  corpus: string;
  onDecided?: () => void;
}

/** The buttons with which an operator approves or rejects a version that its gate holds. */
export function VersionDecision({ jobId, corpus, onDecided }: VersionDecisionProps) {
  const texts = useOperationTexts();
  const queries = useQueryClient();
  const [comment, setComment] = useState('');
  const approve = useMutation(VersionGateService.method.approveVersion);
  const reject = useMutation(VersionGateService.method.rejectVersion);
  const reason = (
    <Field label={texts.quality.comment} value={comment} onChange={setComment} testId="decision-comment" />
  );
  const decide = (by: typeof approve | typeof reject) => async () => {
    await by.mutateAsync({ jobId, comment });
    await queries.invalidateQueries();
    onDecided?.();
  };
  return (
    <>
      <Confirm
        label={texts.quality.approve}
        title={texts.quality.approveTitle(corpus)}
        action={texts.quality.approve}
        onConfirm={decide(approve)}
        testId="approve-version"
      >
        <p>{texts.quality.approveText}</p>
        {reason}
      </Confirm>
      <Confirm
        label={texts.quality.reject}
        title={texts.quality.rejectTitle(corpus)}
        action={texts.quality.reject}
        isDanger
        onConfirm={decide(reject)}
        testId="reject-version"
      >
        <p>{texts.quality.rejectText}</p>
        {reason}
      </Confirm>
    </>
  );
}
