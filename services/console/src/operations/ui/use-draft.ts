import { useState } from 'react';
import { type Draft, forgetDraft, keepDraft, readDraft } from '../../hooks/kept-drafts.ts';

/** A draft with the actions on it. */
export interface KeptDraft {
  fields: Draft;
  /** Sets fields, and keeps them until the tab is closed. */
  change(fields: Draft): void;
  /** Ends keeping what the page still shows: it is published. */
  forget(): void;
  /** Gives up what was written. */
  discard(): void;
}

/** Returns what was written under this name in this tab, which is there again when its page is. */
export function useDraft(name: string): KeptDraft {
  const [fields, setFields] = useState(() => readDraft(sessionStorage, name));
  const forget = () => forgetDraft(sessionStorage, name);
  return {
    fields,
    change(changed) {
      const next = { ...fields, ...changed };
      setFields(next);
      keepDraft(sessionStorage, name, next);
    },
    forget,
    discard() {
      setFields({});
      forget();
    },
  };
}
