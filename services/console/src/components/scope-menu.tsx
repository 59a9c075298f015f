import { useEffect, useId, useRef, useState } from 'react';
import { formatCount } from '../format.ts';
import type { Scope } from '../hooks/use-conversation.ts';
import { useMessages } from '../i18n/index.ts';
import type { Overview } from '../state/overview.ts';
import { Icon } from './icon.tsx';

interface ScopeMenuProps {
  overview: Overview | undefined;
  scope: Scope;
  onScope: (scope: Scope) => void;
}

/** The choice of corpora and model; nothing if there is no choice. */
export function ScopeMenu({ overview, scope, onScope }: ScopeMenuProps) {
  const texts = useMessages();
  const [open, setOpen] = useState(false);
  const frame = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const menuId = useId();

  useEffect(() => {
    if (!open) return;
    const onPointer = (event: PointerEvent) => {
      if (event.target instanceof Node && !frame.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', onPointer);
    return () => document.removeEventListener('pointerdown', onPointer);
  }, [open]);

  const corpora = overview?.corpora ?? [];
  const models = overview?.models ?? [];
  if (corpora.length < 2 && models.length < 2) return null;
  const label = scope.corpora.length === 0 ? texts.composer.allCorpora : scope.corpora.join(', ');
  const toggle = (name: string) => {
    const chosen = scope.corpora.includes(name)
      ? scope.corpora.filter((known) => known !== name)
      : [...scope.corpora, name];
    onScope({ ...scope, corpora: chosen.length === corpora.length ? [] : chosen });
  };

  return (
    <div className="scope" ref={frame}>
      <button
        ref={opener}
        type="button"
        className="button quiet scope-button"
        aria-expanded={open}
        aria-controls={menuId}
        title={texts.composer.corpora}
        onClick={() => setOpen(!open)}
        data-testid="scope"
      >
        <Icon name="library" size={16} />
        <span>{label}</span>
        <Icon name="down_small" size={14} />
      </button>
      {open && (
        <fieldset
          id={menuId}
          className="scope-menu"
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return;
            event.stopPropagation();
            setOpen(false);
            opener.current?.focus();
          }}
        >
          <legend>{texts.composer.corpora}</legend>
          <label>
            <input
              type="checkbox"
              checked={scope.corpora.length === 0}
              onChange={() => onScope({ ...scope, corpora: [] })}
            />
            <span>{texts.composer.allCorpora}</span>
          </label>
          {corpora.map(({ name, documentCount }) => (
            <label key={name}>
              <input type="checkbox" checked={scope.corpora.includes(name)} onChange={() => toggle(name)} />
              <span>{name}</span>
              <small>{texts.composer.corpusCount(formatCount(documentCount, texts.tag))}</small>
            </label>
          ))}
          {models.length > 1 && (
            <label className="scope-model">
              <span>{texts.composer.model}</span>
              <select value={scope.model} onChange={(event) => onScope({ ...scope, model: event.target.value })}>
                <option value="">{texts.composer.defaultModel}</option>
                {models.map(({ name }) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
          )}
        </fieldset>
      )}
    </div>
  );
}
