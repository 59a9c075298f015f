import { type KeyboardEvent, type RefObject, useId, useLayoutEffect } from 'react';
import type { Scope } from '../hooks/use-conversation.ts';
import { useMessages } from '../i18n/index.ts';
import type { Overview } from '../state/overview.ts';
import { Icon } from './icon.tsx';
import { ScopeMenu } from './scope-menu.tsx';

interface ComposerProps {
  draft: string;
  onDraft: (draft: string) => void;
  /** Whether an answer is in progress. */
  busy: boolean;
  followUp: boolean;
  overview: Overview | undefined;
  scope: Scope;
  onScope: (scope: Scope) => void;
  onAsk: (question: string) => void;
  onStop: () => void;
  field: RefObject<HTMLTextAreaElement | null>;
}

/** Longest question of the contract, in characters. */
const maxQuestion = 4096;
/** The number of characters left at which the counter appears. */
const warnLeft = 200;

/** The form for questions. */
export function Composer(props: ComposerProps) {
  const { draft, onDraft, busy, followUp, overview, scope, onScope, onAsk, onStop, field } = props;
  const texts = useMessages();
  const keysId = useId();
  const question = draft.trim();
  const leftCount = maxQuestion - [...question].length;
  const canAsk = !busy && question !== '' && leftCount >= 0;

  // The height of the field follows its text.
  useLayoutEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [draft, field]);

  const submit = () => {
    if (canAsk) onAsk(question);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // While an input method composes, Enter accepts its word. Safari reports that Enter late, as key code 229.
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      submit();
    }
    if (event.key === 'Escape' && busy) onStop();
  };

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div className="composer-box">
        <textarea
          ref={field}
          rows={1}
          value={draft}
          placeholder={followUp ? texts.composer.followUp : texts.composer.placeholder}
          aria-label={texts.composer.label}
          aria-describedby={keysId}
          enterKeyHint="send"
          onChange={(event) => onDraft(event.target.value)}
          onKeyDown={onKeyDown}
          data-testid="question"
        />
        <div className="composer-bar">
          <ScopeMenu overview={overview} scope={scope} onScope={onScope} />
          <span className="spacer" />
          {leftCount < warnLeft && (
            <span className={leftCount < 0 ? 'left over' : 'left'} role="status">
              {texts.composer.left(leftCount)}
            </span>
          )}
          {busy ? (
            <button type="button" className="button stop" onClick={onStop} data-testid="stop">
              <Icon name="stop" size={16} /> {texts.composer.stop}
            </button>
          ) : (
            <button type="submit" className="button primary send" disabled={!canAsk} data-testid="send">
              <Icon name="send" size={16} /> {texts.composer.send}
            </button>
          )}
        </div>
      </div>
      <p className="composer-note" id={keysId}>
        <span>{isGenerative(overview, scope) ? texts.composer.writes : texts.composer.quotes}</span>
        <span className="keys">{texts.composer.keys}</span>
      </p>
    </form>
  );
}

/** Reports whether the chosen model writes its own text; assumes so for an unknown model. */
function isGenerative(overview: Overview | undefined, scope: Scope): boolean {
  const model = overview?.models.find(({ name }, index) => (scope.model === '' ? index === 0 : name === scope.model));
  return model?.generative ?? true;
}
