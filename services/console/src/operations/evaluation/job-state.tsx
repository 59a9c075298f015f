import { EvaluationJobState } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge, type Tone } from '../ui/badge.tsx';

const tones: Record<number, Tone> = {
  [EvaluationJobState.RUNNING]: 'busy',
  [EvaluationJobState.SUCCEEDED]: 'good',
  [EvaluationJobState.FAILED]: 'bad',
};

/** The state of a job in a word. */
export function JobStateBadge({ state }: { state: EvaluationJobState }) {
  const { states } = useOperationTexts().evaluation.compare;
  return <Badge tone={tones[state] ?? 'plain'}>{states[state]}</Badge>;
}

/** Whether the job will still change by itself. */
export function isOpen(state: EvaluationJobState): boolean {
  return state === EvaluationJobState.QUEUED || state === EvaluationJobState.RUNNING;
}
