import { useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Api } from '../../api.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { ActionFailure } from '../ui/reply.tsx';

/** Most questions that are asked again. */
const maxQuestions = 10;
/** Longest time for an answer, in milliseconds. */
const answerMs = 60_000;

interface Asked {
  question: string;
  text: string;
  isAnswered: boolean;
  /** The documents that the answer cites. */
  cited: Passage[];
}

interface AskAgainProps {
  api: Api;
  questions: readonly string[];
  /** Whether they are asked when this is shown. @default false */
  isStarted?: boolean;
}

/** Asks the very questions of a topic again, as the user who is looking at it, and shows what is answered now, and from which version. */
export function AskAgain({ api, questions, isStarted = false }: AskAgainProps) {
  const texts = useOperationTexts();
  const [asked, setAsked] = useState<Asked[]>([]);
  const [isAsking, setAsking] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const run = async () => {
    setAsking(true);
    setError(null);
    setAsked([]);
    try {
      for (const question of questions.slice(0, maxQuestions)) {
        const answer = await ask(api, question);
        setAsked((before) => [...before, answer]);
      }
    } catch (thrown) {
      setError(thrown as Error);
    } finally {
      setAsking(false);
    }
  };
  const start = useRef(isStarted ? run : undefined);
  useEffect(() => {
    void start.current?.();
    start.current = undefined;
  }, []);
  const answeredCount = asked.filter(({ isAnswered }) => isAnswered).length;
  return (
    <section className="findings" aria-label={texts.inbox.proof} data-testid="proof">
      <h3>{texts.inbox.proof}</h3>
      <p className="field-hint">{texts.inbox.proofText}</p>
      <div className="form-actions">
        <Button className="button" isDisabled={isAsking} onPress={run} data-testid="ask-again-all">
          {isAsking ? texts.inbox.asking : texts.inbox.askAgain}
        </Button>
      </div>
      <ActionFailure error={error} />
      {asked.length > 0 && (
        <p className="strong" role="status" data-testid="answered-count">
          {texts.inbox.answeredOf(answeredCount, asked.length)}
        </p>
      )}
      <ul aria-live="polite">
        {asked.map(({ question, text, isAnswered, cited }) => (
          <li key={question} data-testid="asked-again" data-answered={isAnswered}>
            <span className="strong">
              {question}{' '}
              <Badge tone={isAnswered ? 'good' : 'bad'}>
                {isAnswered ? texts.inbox.answered : texts.inbox.notAnswered}
              </Badge>
            </span>
            <span>{text}</span>
            {cited.map(({ corpus, documentId, title, version }) => (
              <span key={`${corpus} ${documentId}`} className="faint" data-testid="asked-source">
                <a href={linkTo('documents', corpus, 'document', documentId)}>{title}</a> ·{' '}
                {texts.inbox.fromVersion(corpus, String(version))}
              </span>
            ))}
          </li>
        ))}
      </ul>
    </section>
  );
}

async function ask(api: Api, question: string): Promise<Asked> {
  let text = '';
  let isAnswered = false;
  let passages: readonly Passage[] = [];
  const markers = new Set<number>();
  // A test, so that a question that is still refused is not counted as asked by one more user.
  for await (const { event } of api.chat.ask({ question, isTest: true }, { timeoutMs: answerMs })) {
    if (event.case === 'textDelta') text += event.value.text;
    if (event.case === 'reset') text = '';
    if (event.case === 'sources') passages = event.value.passages;
    if (event.case === 'citation') markers.add(event.value.marker);
    if (event.case === 'done') isAnswered = event.value.outcome === AnswerOutcome.ANSWERED;
  }
  const documents = new Map(
    passages
      .filter((_, at) => markers.has(at + 1))
      .map((passage) => [`${passage.corpus} ${passage.documentId}`, passage]),
  );
  return { question, text, isAnswered, cited: isAnswered ? [...documents.values()] : [] };
}
