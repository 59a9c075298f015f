import type { FeedbackReason, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { useMessages } from '../../i18n/index.ts';
import { Markdown } from '../../markdown/markdown.tsx';
import { type Answer, isSettled } from '../../state/ask.ts';
import { citedMarkers, type Evidence, evidenceOf } from '../../state/evidence.ts';
import { isAgainst, supportName } from '../../state/verdicts.ts';
import { Icon } from '../icon.tsx';
import { AnswerFooter } from './answer-footer.tsx';
import { AnswerNotices } from './answer-notices.tsx';
import { HandoverNotice } from './handover-notice.tsx';
import { NextQuestions } from './next-questions.tsx';
import { SourceList } from './source-list.tsx';
import { StageRow } from './stage-row.tsx';
import { ToolCalls } from './tool-calls.tsx';

/** Actions on an answer. */
export interface TurnActions {
  onOpen: (answer: Answer, evidence: Evidence, opener: HTMLElement) => void;
  onRate: (answer: Answer, rating: Rating, comment: string, reasons: FeedbackReason[]) => Promise<void>;
  onAskAgain: (answer: Answer) => void;
  onFresh: (answer: Answer) => void;
  /** Asks a question that the page proposes. */
  onAsk: (question: string) => void;
  /** Decides about the call of a tool, in the words of the user. */
  onDecide: (callId: string, approved: boolean, words: string) => void;
  /** Whether the caller may look into the search of an answer. */
  canExplain: boolean;
}

interface TurnProps extends TurnActions {
  answer: Answer;
  /** Whether it is the last of the conversation. */
  last: boolean;
  /** The marker that is open beside it. */
  openedMarker: number | undefined;
}

/** A question and its answer. */
export function Turn(props: TurnProps) {
  const { answer, last, openedMarker, onOpen, onRate, onAskAgain, onFresh, onAsk, onDecide, canExplain } = props;
  const texts = useMessages();
  const evidence = evidenceOf(answer);
  const settled = isSettled(answer);
  const refused = answer.done?.outcome === AnswerOutcome.REFUSED;
  const rewritten = answer.standaloneQuestion !== '' && answer.standaloneQuestion !== answer.question;
  const marker = (number: number, start: number) => {
    const source = evidence.find((known) => known.marker === number);
    if (source === undefined) return undefined;
    const verdict = answer.verdicts.find((sentence) => sentence.start <= start && start < sentence.end);
    const isDoubtful = verdict !== undefined && isAgainst(verdict.support);
    const label = texts.answer.citation(number, source.title);
    return (
      <button
        key={start}
        type="button"
        className={isDoubtful ? 'marker doubtful' : 'marker'}
        aria-label={isDoubtful ? `${label}: ${texts.answer.verdict[supportName(verdict.support)]}` : label}
        title={source.title}
        aria-pressed={openedMarker === number}
        onClick={(event) => onOpen(answer, source, event.currentTarget)}
        data-testid="marker"
      >
        {number}
      </button>
    );
  };
  return (
    <article className="turn" data-testid="turn" data-phase={answer.phase} data-key={answer.key} aria-busy={!settled}>
      <h2 className={answer.question.length > 120 ? 'question long' : 'question'} data-testid="turn-question">
        {answer.question}
      </h2>
      {rewritten && <p className="searched-for">{texts.answer.searchedFor(answer.standaloneQuestion)}</p>}
      {last && answer.startedMs > 0 && <StageRow answer={answer} />}
      {answer.resetReason !== undefined && !settled && (
        <p className="sources-note" data-testid="reset">
          <Icon name="again" size={15} /> {texts.answer.restarted}
        </p>
      )}
      {!settled && answer.text === '' && (
        <p className="waiting">
          {answer.sources.length > 0 ? texts.answer.reading(answer.sources.length) : texts.answer.searching}
        </p>
      )}
      {(answer.text !== '' || refused) && (
        <div className={refused ? 'answer refused' : 'answer'} data-testid="answer" data-refused={refused || undefined}>
          {refused && <Icon name="info" />}
          <div className={settled ? 'prose' : 'prose writing'}>
            <Markdown text={answer.text || texts.answer.refused} open={answer.phase !== 'done'} marker={marker} />
          </div>
          {refused && <p className="refused-advice">{texts.answer.refusedText}</p>}
        </div>
      )}
      <ToolCalls
        answer={answer}
        onOpen={(source, opener) => onOpen(answer, source, opener)}
        onDecide={
          last
            ? (callId, approved) => {
                const { title = '' } = answer.toolCalls?.find((call) => call.callId === callId) ?? {};
                onDecide(callId, approved, approved ? texts.tools.approved(title) : texts.tools.rejected(title));
              }
            : undefined
        }
      />
      <HandoverNotice answer={answer} onRequest={last && settled ? () => onAsk(texts.handover.requested) : undefined} />
      <AnswerNotices answer={answer} onAskAgain={last ? () => onAskAgain(answer) : undefined} />
      <SourceList
        evidence={evidence}
        cited={citedMarkers(answer)}
        settled={settled}
        openedMarker={openedMarker}
        onOpen={(source, opener) => onOpen(answer, source, opener)}
      />
      {settled && answer.phase !== 'failed' && (
        <AnswerFooter
          answer={answer}
          onRate={(rating, comment, reasons) => onRate(answer, rating, comment, reasons)}
          onFresh={last ? () => onFresh(answer) : undefined}
          canExplain={canExplain}
        />
      )}
      {last && settled && <NextQuestions answer={answer} onAsk={onAsk} />}
    </article>
  );
}
