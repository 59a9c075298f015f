import type { ReactNode } from 'react';

/** An area that is scrolled sideways, by the keyboard as well. */
export function ScrollArea({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll (axe: scrollable-region-focusable)
    <section className="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
