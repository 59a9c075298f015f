import type { ReactNode } from 'react';

/** What is shown if there is nothing yet: why, and what to do. */
export function Empty({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  return (
    <div className="empty" data-testid="empty">
      <h2>{title}</h2>
      <p>{text}</p>
      {children}
    </div>
  );
}
