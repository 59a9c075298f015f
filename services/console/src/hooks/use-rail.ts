import { useCallback, useRef, useState } from 'react';

/** The rail with the sessions: beside a wide page it is open at first, over a narrow page it is closed at first. */
export function useRail(narrow: boolean) {
  const [toggled, setToggled] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const isOpen = narrow ? toggled : !toggled;
  return {
    isOpen,
    /** Whether it covers the page. */
    covers: narrow && isOpen,
    button,
    toggle: () => setToggled(!toggled),
    /** Closes it if it covers the page. */
    uncover: useCallback(() => setToggled((current) => (narrow ? false : current)), [narrow]),
  };
}
