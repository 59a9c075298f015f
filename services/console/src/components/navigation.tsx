import { useMessages } from '../i18n/index.ts';
import type { Section } from '../state/sections.ts';
import { Icon } from './icon.tsx';

interface NavigationProps {
  sections: readonly Section[];
  /** The section that is open; `undefined`: the conversation. */
  current: Section | undefined;
  /** Address of the conversation: `#session=…`, or `#`. */
  chatAddress: string;
}

const icons = {
  inbox: 'info',
  conversations: 'talk',
  lab: 'search',
  documents: 'library',
  jobs: 'again',
  sources: 'external',
  quality: 'check',
  evaluation: 'target',
  cost: 'chart',
  administration: 'key',
} as const;

/** Links to asking and to the sections of the console. Absent if the user has none. */
export function Navigation({ sections, current, chatAddress }: NavigationProps) {
  const texts = useMessages();
  if (sections.length === 0) return null;
  return (
    <ul className="navigation" data-testid="navigation">
      <li>
        <a href={chatAddress} aria-current={current === undefined ? 'page' : undefined} data-testid="section-ask">
          <Icon name="send" size={16} /> {texts.sections.ask}
        </a>
      </li>
      {sections.map((section) => (
        <li key={section}>
          <a
            href={`#/${section}`}
            aria-current={section === current ? 'page' : undefined}
            data-testid={`section-${section}`}
          >
            <Icon name={icons[section]} size={16} /> {texts.sections[section]}
          </a>
        </li>
      ))}
    </ul>
  );
}
