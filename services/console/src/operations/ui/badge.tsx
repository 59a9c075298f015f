import type { ReactNode } from 'react';

/** How a state is: it is well, in progress, needs a look, or failed. */
export type Tone = 'plain' | 'good' | 'busy' | 'warning' | 'bad';

/** A state in a word. */
export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className="badge" data-tone={tone}>
      {children}
    </span>
  );
}
