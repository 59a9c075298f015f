import type { ReactNode } from 'react';
import { Icon } from './icon.tsx';

interface NoticeProps {
  tone: 'plain' | 'warning' | 'error';
  title?: string;
  children?: ReactNode;
  /** Buttons. */
  actions?: ReactNode;
  testId: string;
}

/** A box with a note, a warning or an error. */
export function Notice({ tone, title, children, actions, testId }: NoticeProps) {
  return (
    <div className={`notice ${tone}`} role={tone === 'error' ? 'alert' : undefined} data-testid={testId}>
      <Icon name={tone === 'plain' ? 'info' : 'warning'} size={17} />
      <div className="notice-text">
        {title !== undefined && <strong>{title}</strong>}
        {children}
      </div>
      {actions !== undefined && <div className="notice-actions">{actions}</div>}
    </div>
  );
}
