import { useMessages } from '../../i18n/index.ts';
import type { Answer } from '../../state/ask.ts';

/** Questions that one press asks: choices if the answer has asked back, otherwise what the documents answer next. */
export function NextQuestions({ answer, onAsk }: { answer: Answer; onAsk: (question: string) => void }) {
  const texts = useMessages();
  const questions = answer.suggestions ?? [];
  if (questions.length === 0) return null;
  const title = answer.isAskedBack === true ? texts.answer.choose : texts.answer.next;
  return (
    <section className="next-questions" aria-label={title} data-testid="next-questions">
      <h3>{title}</h3>
      <ul className="suggestions">
        {questions.map((question) => (
          <li key={question}>
            <button type="button" onClick={() => onAsk(question)} data-testid="next-question">
              {question}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
