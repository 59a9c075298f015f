import type { RefObject } from 'react';
import type { Credentials, Persona } from '../hooks/use-credentials.ts';
import { useMessages } from '../i18n/index.ts';
import { Icon } from './icon.tsx';

interface TopBarProps {
  title: string;
  railOpen: boolean;
  /** What the button of the rail does; absent: it shows and hides the conversations. */
  railLabels?: { show: string; hide: string };
  onRail: () => void;
  railButton: RefObject<HTMLButtonElement | null>;
  credentials: Credentials;
  onPersona: (persona: Persona) => void;
  onChangeKey: () => void;
  onLanguage: () => void;
}

/** The bar above the conversation: its title, the persona, and the language. */
export function TopBar(props: TopBarProps) {
  const { title, railOpen, onRail, railButton, credentials, onPersona, onChangeKey, onLanguage } = props;
  const texts = useMessages();
  const { show, hide } = props.railLabels ?? { show: texts.sessions.open, hide: texts.sessions.hide };
  return (
    <header className="top-bar">
      <button
        ref={railButton}
        type="button"
        className="icon-button rail-button"
        aria-label={railOpen ? hide : show}
        title={railOpen ? hide : show}
        aria-expanded={railOpen}
        aria-controls="rail"
        onClick={onRail}
        data-testid="rail-toggle"
      >
        <Icon name="menu" />
      </button>
      <h1 className="top-title">{title === '' ? <span className="hidden">{texts.pageTitle}</span> : title}</h1>
      {credentials.kind === 'development' && credentials.keys.customer !== undefined && (
        <fieldset className="segments" title={texts.persona.hint}>
          <legend className="segments-label">{texts.persona.label}</legend>
          {(['staff', 'customer'] as const).map((persona) => (
            <button
              key={persona}
              type="button"
              aria-pressed={credentials.persona === persona}
              onClick={() => onPersona(persona)}
              data-testid={`persona-${persona}`}
            >
              {texts.persona[persona]}
            </button>
          ))}
        </fieldset>
      )}
      {credentials.kind === 'own' && (
        <button
          type="button"
          className="icon-button"
          aria-label={texts.key.change}
          title={texts.key.change}
          onClick={onChangeKey}
        >
          <Icon name="key" />
        </button>
      )}
      <button
        type="button"
        className="button quiet language"
        title={texts.switchLanguage}
        onClick={onLanguage}
        data-testid="language"
      >
        <Icon name="language" size={16} />
        <span>{texts.otherLanguage}</span>
      </button>
    </header>
  );
}
