import { formatCount } from '../format.ts';
import type { Loaded } from '../hooks/use-loaded.ts';
import { type PageLanguage, useMessages } from '../i18n/index.ts';
import { chooseTitles, isQuestion, type Overview } from '../state/overview.ts';
import { FailureNotice } from './failure-notice.tsx';

/** Properties of the welcome. */
export interface WelcomeProps {
  overview: Loaded<Overview>;
  language: PageLanguage;
  onAsk: (question: string) => void;
}

/** Number of titles that are offered as first questions. */
const titleCount = 6;

/** Shown before the first question: the number of documents, and some titles to ask about. */
export function Welcome({ overview, language, onAsk }: WelcomeProps) {
  const texts = useMessages();
  const ready = overview.state === 'ready' ? overview.value : undefined;
  const titles = ready === undefined ? [] : chooseTitles(ready.documents, language, titleCount);
  return (
    <section className="welcome" data-testid="welcome">
      <h2>{texts.empty.title}</h2>
      {ready !== undefined && <p className="welcome-text">{describe(ready, texts.empty, texts.tag)}</p>}
      {overview.state === 'failed' && overview.failure.kind !== 'credentials' && (
        <FailureNotice failure={overview.failure} />
      )}
      {titles.length > 0 && (
        <>
          <h3>{texts.empty.startWith}</h3>
          <ul className="suggestions">
            {titles.map((title) => (
              <li key={title}>
                <button
                  type="button"
                  onClick={() => onAsk(isQuestion(title) ? title : texts.empty.aboutTitle(title))}
                  data-testid="suggestion"
                >
                  {title}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function describe({ corpora }: Overview, texts: ReturnType<typeof useMessages>['empty'], tag: string): string {
  const full = corpora.filter(({ documentCount }) => documentCount > 0n);
  const documentCount = full.reduce((sum, corpus) => sum + corpus.documentCount, 0n);
  if (documentCount === 0n) return texts.noDocuments;
  return texts.text(
    texts.documents(formatCount(documentCount, tag), documentCount === 1n),
    texts.corpora(formatCount(full.length, tag), full.length === 1),
  );
}
