import type { RefObject } from 'react';
import { useMessages } from '../i18n/index.ts';

/** Moves the focus past the list of sessions to the question. Visible only with the focus; first in the tab order. */
export function SkipLink({ target }: { target: RefObject<HTMLElement | null> }) {
  const texts = useMessages();
  return (
    <button type="button" className="button skip-link" onClick={() => target.current?.focus()} data-testid="skip-link">
      {texts.skipToQuestion}
    </button>
  );
}
