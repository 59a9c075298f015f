import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Api } from '../../api.ts';
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
}

/** Asks the very questions of a topic again, as the user who is looking at it, and shows what is answered now. */
export function AskAgain({ api, questions }: { api: Api; questions: readonly string[] }) {
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
  return (
    <section className="findings" aria-label={texts.inbox.proof}>
      <h3>{texts.inbox.proof}</h3>
      <p className="field-hint">{texts.inbox.proofText}</p>
      <div className="form-actions">
        <Button className="button" isDisabled={isAsking} onPress={run} data-testid="ask-again-all">
          {isAsking ? texts.inbox.asking : texts.inbox.askAgain}
        </Button>
      </div>
      <ActionFailure error={error} />
      <ul aria-live="polite">
        {asked.map(({ question, text, isAnswered }) => (
          <li key={question} data-testid="asked-again" data-answered={isAnswered}>
            <span className="strong">
              {question}{' '}
              <Badge tone={isAnswered ? 'good' : 'bad'}>
                {isAnswered ? texts.inbox.answered : texts.inbox.notAnswered}
              </Badge>
            </span>
            <span>{text}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

async function ask(api: Api, question: string): Promise<Asked> {
  let text = '';
  let isAnswered = false;
  for await (const { event } of api.chat.ask({ question }, { timeoutMs: answerMs })) {
    if (event.case === 'textDelta') text += event.value.text;
    if (event.case === 'reset') text = '';
    if (event.case === 'done') isAnswered = event.value.outcome === AnswerOutcome.ANSWERED;
  }
  return { question, text, isAnswered };
}
