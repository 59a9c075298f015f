import { useMessages } from '../i18n/index.ts';
import { Icon } from './icon.tsx';

/** Shown instead of the page if the server cannot be reached. */
export function Unreachable({ onRetry }: { onRetry: () => void }) {
  const texts = useMessages();
  return (
    <main className="boot" role="alert" data-testid="unreachable">
      <Icon name="warning" size={28} />
      <h1>{texts.unreachableTitle}</h1>
      <p>{texts.unreachableText}</p>
      <button type="button" className="button primary" onClick={onRetry}>
        {texts.retry}
      </button>
    </main>
  );
}
