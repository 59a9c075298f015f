import { useEffect, useMemo, useRef, useState } from 'react';
import type { Passage, Scores } from '#gen/ragmesh/common/v1/common_pb.ts';
import { applyReadMasks } from '#kit/personal-data/apply-read-masks.ts';
import type { Api } from '../api.ts';
import { useLoaded } from '../hooks/use-loaded.ts';
import { useMessages } from '../i18n/index.ts';
import { safeHref } from '../markdown/inline.ts';
import { Markdown, MarkdownBlocks } from '../markdown/markdown.tsx';
import { parseMarkdown } from '../markdown/parse.ts';
import { type Evidence, isToolResult, locatePassage, type Range } from '../state/evidence.ts';
import { FailureNotice } from './failure-notice.tsx';
import { Icon } from './icon.tsx';
import { Notice } from './notice.tsx';
import { PageImage } from './page-image.tsx';

interface DocumentPanelProps {
  api: Api;
  evidence: Evidence;
  /** All sources of the answer that the panel can show, in order. */
  siblings: readonly Evidence[];
  onShow: (evidence: Evidence) => void;
  onClose: () => void;
}

/** A cited document beside the answer, scrolled to its passage. */
export function DocumentPanel({ api, evidence, siblings, onShow, onClose }: DocumentPanelProps) {
  const texts = useMessages();
  const heading = useRef<HTMLHeadingElement>(null);
  const { corpus, documentId, chunkId } = evidence;
  const loaded = useLoaded(
    async (signal) => {
      const known = evidence.passage;
      // The result of a tool is no document: its text is all there is.
      if (known !== undefined && isToolResult(evidence))
        return { text: known.text, passage: undefined, hasPages: false };
      const [{ text, hasPages, masks }, passage] = await Promise.all([
        api.indexer.getDocument({ corpus, documentId }, { signal }),
        known ?? api.retrieval.getPassages({ chunkIds: [chunkId] }, { signal }).then(({ passages }) => passages[0]),
      ]);
      return { text: applyReadMasks(text, masks), passage, hasPages };
    },
    [api, corpus, documentId, chunkId],
  );
  // A newly shown source receives the focus.
  useEffect(() => heading.current?.focus(), [chunkId]);

  const passage = loaded.state === 'ready' ? loaded.value.passage : evidence.passage;
  const regions = passage?.regions ?? [];
  const position = siblings.findIndex(({ marker }) => marker === evidence.marker);
  const step = (by: number, name: 'previous' | 'next') => {
    const sibling = siblings[position + by];
    return (
      <button
        type="button"
        className="icon-button"
        aria-label={texts.document[name]}
        title={texts.document[name]}
        disabled={sibling === undefined}
        onClick={() => sibling && onShow(sibling)}
        data-testid={`document-${name}`}
      >
        <Icon name={by < 0 ? 'back' : 'forward'} />
      </button>
    );
  };

  return (
    <aside className="panel" aria-label={texts.document.title} data-testid="document-panel">
      <header className="panel-bar">
        <span className="source-number">{evidence.marker}</span>
        <span className="panel-kind">{texts.document.title}</span>
        <span className="spacer" />
        {siblings.length > 1 && (
          <>
            {step(-1, 'previous')}
            {step(1, 'next')}
          </>
        )}
        <button
          type="button"
          className="icon-button"
          aria-label={texts.close}
          title={texts.close}
          onClick={onClose}
          data-testid="document-close"
        >
          <Icon name="close" />
        </button>
      </header>
      <div className="panel-head">
        <h2 ref={heading} tabIndex={-1} data-testid="document-title">
          {evidence.title || documentId}
        </h2>
        <DocumentFacts evidence={evidence} passage={passage} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the text scrolls, so the keyboard must reach it */}
      <section className="panel-body" aria-label={texts.document.text} tabIndex={0} data-testid="document-body">
        {loaded.state === 'loading' && <p className="waiting">{texts.document.loading}</p>}
        {loaded.state === 'failed' &&
          (loaded.failure.kind === 'not_found' ? (
            <Notice tone="warning" testId="document-gone">
              <p>{texts.document.gone}</p>
            </Notice>
          ) : (
            <FailureNotice failure={loaded.failure} />
          ))}
        {loaded.state === 'failed' && passage !== undefined && (
          <PassageAsRead passage={passage} intro={texts.document.asRead} />
        )}
        {loaded.state === 'ready' && loaded.value.hasPages && regions.length > 0 && (
          <PageImage
            key={`page ${chunkId}`}
            indexer={api.indexer}
            corpus={corpus}
            documentId={documentId}
            regions={regions}
          />
        )}
        {loaded.state === 'ready' && <DocumentText key={chunkId} text={loaded.value.text} passage={passage} />}
      </section>
    </aside>
  );
}

function DocumentFacts({ evidence, passage }: { evidence: Evidence; passage: Passage | undefined }) {
  const texts = useMessages();
  const href = safeHref(evidence.url);
  const path = (passage?.headingPath ?? []).filter((heading) => heading !== evidence.title);
  return (
    <>
      {path.length > 0 && (
        <p className="panel-path" data-testid="document-path">
          {path.join(' › ')}
        </p>
      )}
      <p className="panel-facts">
        <span className="chip" title={texts.document.corpus}>
          {isToolResult(evidence) ? texts.document.tool : evidence.corpus}
        </span>
        {evidence.page > 0 && <span className="chip">{texts.document.page(evidence.page)}</span>}
        {href !== undefined && (
          <a href={href} target="_blank" rel="noreferrer noopener">
            {texts.document.openOriginal} <Icon name="external" size={14} />
          </a>
        )}
      </p>
      {passage?.scores !== undefined && <ScoreList scores={passage.scores} />}
    </>
  );
}

function ScoreList({ scores }: { scores: Scores }) {
  const texts = useMessages();
  const names = (['vector', 'keyword', 'web', 'fused', 'rerank'] as const).filter((name) => scores[name] !== undefined);
  if (names.length === 0) return null;
  return (
    <dl
      className="scores"
      aria-label={texts.document.scores}
      title={texts.document.scoresNote}
      data-testid="document-scores"
    >
      {names.map((name) => (
        <div key={name}>
          <dt>{texts.document[name]}</dt>
          <dd>{scores[name]?.toFixed(name === 'keyword' ? 2 : 3)}</dd>
        </div>
      ))}
    </dl>
  );
}

function PassageAsRead({ passage, intro }: { passage: Passage; intro: string }) {
  return (
    <div className="as-read" data-testid="passage-as-read">
      <p>{intro}</p>
      <blockquote className="prose">
        <Markdown text={passage.text} />
      </blockquote>
    </div>
  );
}

/** Blocks shown on each side of the passage at first. */
const blocksAround = 120;

/** The text of a document with its passage highlighted, scrolled to the passage. */
function DocumentText({ text, passage }: { text: string; passage: Passage | undefined }) {
  const texts = useMessages();
  const frame = useRef<HTMLDivElement>(null);
  const blocks = useMemo(() => parseMarkdown(text), [text]);
  const highlight = useMemo(() => (passage === undefined ? undefined : locatePassage(text, passage)), [text, passage]);
  const [first, last] = useMemo(() => {
    const marked = blocks.flatMap((block, index) => (touches(block, highlight) ? [index] : []));
    return [marked[0] ?? 0, marked.at(-1) ?? 0];
  }, [blocks, highlight]);
  const [shown, setShown] = useState({ before: blocksAround, after: blocksAround });
  const from = Math.max(0, first - shown.before);
  const to = Math.min(blocks.length, last + 1 + shown.after);

  useEffect(() => {
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    const mark = frame.current?.querySelector('mark');
    mark?.scrollIntoView({ block: 'center', behavior: calm ? 'instant' : 'smooth' });
  }, []);

  return (
    <div className="prose document-text" ref={frame} data-testid="document-text">
      {passage !== undefined && highlight === undefined && (
        <PassageAsRead passage={passage} intro={texts.document.changed} />
      )}
      {from > 0 && (
        <button type="button" className="button quiet" onClick={() => setShown({ ...shown, before: blocks.length })}>
          {texts.document.before}
        </button>
      )}
      <MarkdownBlocks blocks={blocks.slice(from, to)} highlight={highlight} />
      {to < blocks.length && (
        <button type="button" className="button quiet" onClick={() => setShown({ ...shown, after: blocks.length })}>
          {texts.document.after}
        </button>
      )}
    </div>
  );
}

function touches(place: Range, highlight: Range | undefined): boolean {
  return highlight !== undefined && place.start < highlight.end && highlight.start < place.end;
}
