import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge, type Tone } from '../ui/badge.tsx';

const tones: Record<number, Tone> = {
  [JobState.UNSPECIFIED]: 'plain',
  [JobState.QUEUED]: 'plain',
  [JobState.RUNNING]: 'busy',
  [JobState.SUCCEEDED]: 'good',
  [JobState.FAILED]: 'bad',
  [JobState.CANCELLED]: 'plain',
  [JobState.HELD]: 'warning',
};

/** The state of a job in a word. */
export function JobStateBadge({ state }: { state: JobState }) {
  const texts = useOperationTexts();
  return <Badge tone={tones[state] ?? 'plain'}>{texts.jobs.states[state]}</Badge>;
}

/** Whether the job will still change by itself. */
export function isOpen(state: JobState): boolean {
  return state === JobState.QUEUED || state === JobState.RUNNING;
}
