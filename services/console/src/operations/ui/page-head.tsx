import type { ReactNode } from 'react';
import { Icon } from '../../components/icon.tsx';

interface PageHeadProps {
  title: string;
  /** The page above: its address and name. */
  back?: { href: string; label: string };
  /** Beside the title: a state. */
  badge?: ReactNode;
  children?: ReactNode;
}

/** The head of a page: the way back, its title, and its actions. */
export function PageHead({ title, back, badge, children }: PageHeadProps) {
  return (
    <header className="page-head">
      <div className="page-name">
        {back !== undefined && (
          <a className="page-back" href={back.href}>
            <Icon name="back" size={14} /> {back.label}
          </a>
        )}
        <h2>
          {title} {badge}
        </h2>
      </div>
      {children !== undefined && <div className="page-actions">{children}</div>}
    </header>
  );
}
