import type { Source } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { SourceState } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge, type Tone } from '../ui/badge.tsx';

const tones: Record<number, Tone> = {
  [SourceState.UNSPECIFIED]: 'plain',
  [SourceState.WAITING]: 'good',
  [SourceState.RUNNING]: 'busy',
  [SourceState.PAUSED]: 'plain',
};

/** How a source is: its state, failures, and removals that wait for approval. */
export function SourceStateBadge({ source }: { source: Source }) {
  const texts = useOperationTexts();
  return (
    <span className="badges">
      <Badge tone={tones[source.state] ?? 'plain'}>{texts.sources.states[source.state]}</Badge>
      {source.error !== '' && <Badge tone="bad">{texts.sources.failing}</Badge>}
      {source.heldRemovalCount > 0n && (
        <Badge tone="warning">{texts.sources.held(String(source.heldRemovalCount))}</Badge>
      )}
    </span>
  );
}
