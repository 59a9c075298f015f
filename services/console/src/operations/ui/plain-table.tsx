import type { CSSProperties, ReactNode } from 'react';
import { ScrollArea } from './scroll-area.tsx';

interface PlainTableProps {
  /** Names of the columns. */
  columns: readonly string[];
  /** Name of the last column, which has buttons; read aloud only. */
  actions?: string;
  /** Rows. */
  children: ReactNode;
  testId: string;
}

/** A table of few rows, all of them in the page. On a phone a row is a card, in which each cell has the name of its column before it. */
export function PlainTable({ columns, actions, children, testId }: PlainTableProps) {
  return (
    <ScrollArea label={columns.join(', ')}>
      <table className="plain-table cards" style={namesOf(columns)} data-testid={testId}>
        <thead>
          <tr>
            {columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
            {actions !== undefined && (
              <th scope="col">
                <span className="hidden">{actions}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </ScrollArea>
  );
}

/** The names of columns for the style sheet: `--column-2: "State"`. */
export function namesOf(columns: readonly string[]): CSSProperties {
  return Object.fromEntries(columns.map((name, at) => [`--column-${at + 1}`, JSON.stringify(name)]));
}
