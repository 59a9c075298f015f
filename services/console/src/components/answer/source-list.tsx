import { useState } from 'react';
import { useMessages } from '../../i18n/index.ts';
import { type Evidence, isToolResult } from '../../state/evidence.ts';
import { Icon } from '../icon.tsx';

interface SourceListProps {
  evidence: readonly Evidence[];
  cited: ReadonlySet<number>;
  /** Whether it is known which sources the answer cites. */
  settled: boolean;
  openedMarker: number | undefined;
  onOpen: (evidence: Evidence, opener: HTMLElement) => void;
}

/** The passages of an answer: those that it cites, and the others that were read. The others are open if none is cited. */
export function SourceList({ evidence, cited, settled, openedMarker, onOpen }: SourceListProps) {
  const texts = useMessages();
  const [othersToggled, setOthersToggled] = useState(false);
  if (evidence.length === 0) return null;
  if (!settled) return <p className="sources-note">{texts.sources.found(evidence.length)}</p>;
  const main = evidence.filter(({ marker }) => cited.has(marker));
  const others = evidence.filter(({ marker }) => !cited.has(marker));
  const showOthers = (main.length === 0) !== othersToggled;
  const list = (members: readonly Evidence[]) => (
    <ol className="sources">
      {members.map((source) => (
        <SourceCard key={source.marker} source={source} opened={source.marker === openedMarker} onOpen={onOpen} />
      ))}
    </ol>
  );
  return (
    <div className="source-section" data-testid="sources">
      {main.length > 0 && (
        <>
          <h3>{texts.sources.cited}</h3>
          {list(main)}
        </>
      )}
      {others.length > 0 && (
        <>
          <button
            type="button"
            className="button quiet more-sources"
            aria-expanded={showOthers}
            onClick={() => setOthersToggled(!othersToggled)}
            data-testid="more-sources"
          >
            <Icon name="down_small" size={16} />
            {main.length > 0 ? texts.sources.others(others.length) : texts.sources.found(others.length)}
          </button>
          {showOthers && list(others)}
        </>
      )}
    </div>
  );
}

interface SourceCardProps {
  source: Evidence;
  opened: boolean;
  onOpen: (evidence: Evidence, opener: HTMLElement) => void;
}

function SourceCard({ source, opened, onOpen }: SourceCardProps) {
  const texts = useMessages();
  // A heading that only repeats the title adds nothing.
  const path = (source.passage?.headingPath ?? []).filter((heading) => heading !== source.title).join(' › ');
  return (
    <li>
      <button
        type="button"
        className="source"
        aria-pressed={opened}
        onClick={(event) => onOpen(source, event.currentTarget)}
        data-testid={`source-${source.marker}`}
      >
        <span className="source-number">{source.marker}</span>
        <span className="source-text">
          <span className="source-title">{source.title || source.documentId}</span>
          <span className="source-path">
            {[
              isToolResult(source) ? texts.document.tool : source.corpus,
              source.page > 0 ? texts.document.page(source.page) : '',
              path,
            ]
              .filter((part) => part !== '')
              .join(' · ')}
          </span>
        </span>
      </button>
    </li>
  );
}
