import { useEffect, useState } from 'react';
import type { FeedbackReason, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { formatCost, formatCount, formatMs } from '../../format.ts';
import { type Messages, useMessages } from '../../i18n/index.ts';
import type { Answer } from '../../state/ask.ts';
import { whyLink } from '../../state/why-link.ts';
import { Icon } from '../icon.tsx';
import { Feedback } from './feedback.tsx';

interface AnswerFooterProps {
  answer: Answer;
  onRate: (rating: Rating, comment: string, reasons: FeedbackReason[]) => Promise<void>;
  /** Asks the question again without the cache; absent if that is not possible. */
  onFresh?: (() => void) | undefined;
  /** Whether the caller may look into its search. */
  canExplain: boolean;
}

/** Actions on a finished answer, and details of how it was made. */
export function AnswerFooter({ answer, onRate, onFresh, canExplain }: AnswerFooterProps) {
  const texts = useMessages();
  const cached = cachedText(answer.done?.cacheLayer ?? CacheLayer.UNSPECIFIED, texts);
  return (
    <footer className="answer-footer">
      {answer.phase === 'done' && answer.answerId !== '' && <Feedback onRate={onRate} />}
      {answer.text !== '' && <CopyButton text={answer.text} />}
      <span className="spacer" />
      {cached !== undefined && (
        <button
          type="button"
          className="badge"
          title={onFresh === undefined ? cached : `${cached} · ${texts.answer.fresh}`}
          disabled={onFresh === undefined}
          onClick={onFresh}
          data-testid="cached"
        >
          <Icon name="bolt" size={14} /> {texts.answer.cached}
        </button>
      )}
      {canExplain && (
        <a className="badge" href={whyOf(answer)} title={texts.answer.whyTitle} data-testid="why">
          <Icon name="search" size={14} /> {texts.answer.why}
        </a>
      )}
      <Details answer={answer} />
    </footer>
  );
}

function whyOf({ question, standaloneQuestion, sources, citations }: Answer): string {
  return whyLink({ question, standaloneQuestion, sources: sources.length > 0 ? sources : citations });
}

function Details({ answer }: { answer: Answer }) {
  const texts = useMessages();
  const rows = detailRows(answer, texts);
  if (rows.length === 0) return null;
  const summary = [
    answer.done?.model,
    answer.endedMs !== undefined && answer.startedMs > 0 && formatMs(answer.endedMs),
  ];
  return (
    <details className="details" data-testid="details">
      <summary>
        {summary.filter(Boolean).join(' · ') || texts.answer.details}
        <Icon name="down_small" size={14} />
      </summary>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function detailRows(answer: Answer, texts: Messages): [string, string][] {
  const { done, usage, firstTextMs, endedMs } = answer;
  const rows: [string, string][] = [];
  if (done?.model) rows.push([texts.answer.model, done.model]);
  if (firstTextMs !== undefined) rows.push([texts.answer.firstText, formatMs(firstTextMs)]);
  if (endedMs !== undefined) rows.push([texts.answer.total, formatMs(endedMs)]);
  if (usage !== undefined) {
    const counts = texts.answer.tokenCounts(
      formatCount(usage.promptTokens, texts.tag),
      formatCount(usage.completionTokens, texts.tag),
    );
    const estimated = usage.provenance === UsageProvenance.ESTIMATED;
    rows.push([texts.answer.tokens, estimated ? `${counts} (${texts.answer.estimated})` : counts]);
    if (usage.costMicros !== undefined) {
      rows.push([texts.answer.cost, formatCost(usage.costMicros, usage.currency, texts.tag)]);
    }
  }
  for (const { name, detail, latencyMs, state } of answer.stages) {
    const parts = [
      latencyMs === undefined || state === 'skipped' ? texts.stageStates[state] : formatMs(latencyMs),
      detail,
    ];
    rows.push([texts.stages[name], parts.filter((part) => part !== '').join(' · ')]);
  }
  if (done?.traceId) rows.push([texts.answer.trace, done.traceId]);
  return rows;
}

function CopyButton({ text }: { text: string }) {
  const texts = useMessages();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  if (!window.isSecureContext) return null; // without one there is no clipboard
  const label = copied ? texts.answer.copied : texts.answer.copy;
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false), // the browser refused: the button does not change
    );
  return (
    <button type="button" className="icon-button" aria-label={label} title={label} onClick={copy} data-testid="copy">
      <Icon name={copied ? 'check' : 'copy'} size={17} />
    </button>
  );
}

function cachedText(layer: CacheLayer, texts: Messages): string | undefined {
  if (layer === CacheLayer.MEMORY) return texts.answer.cachedMemory;
  if (layer === CacheLayer.DURABLE) return texts.answer.cachedDurable;
  if (layer === CacheLayer.SEMANTIC) return texts.answer.cachedSemantic;
  return undefined;
}
