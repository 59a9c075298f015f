import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { createApi } from '../api.ts';
import { useMessages } from '../i18n/index.ts';
import { failureOf } from '../state/failure.ts';
import { Icon, Mark } from './icon.tsx';

interface KeyDialogProps {
  /** Whether the server refused the last key. */
  refused: boolean;
  /** Whether there is a key that stays in use after a cancel. */
  canCancel: boolean;
  onKey: (key: string) => void;
  onForget: () => void;
  onCancel: () => void;
  onLanguage: () => void;
}

/** Asks for an API key and checks it before the page uses it. */
export function KeyDialog({ refused, canCancel, onKey, onForget, onCancel, onLanguage }: KeyDialogProps) {
  const texts = useMessages();
  const dialog = useRef<HTMLDialogElement>(null);
  const [value, setValue] = useState('');
  const [checking, setChecking] = useState(false);
  const [problem, setProblem] = useState<'refused' | 'forbidden' | 'unchecked' | 'shape' | undefined>(
    refused ? 'refused' : undefined,
  );
  const labelId = useId();
  const problemId = useId();

  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const key = value.trim();
    if (!/^[\x21-\x7e]+$/.test(key)) return setProblem('shape'); // other characters cannot be sent in a header
    setChecking(true);
    try {
      await createApi(key).chat.listSessions({ pageSize: 1 });
      onKey(key);
    } catch (thrown) {
      const { kind } = failureOf(thrown);
      setProblem(kind === 'credentials' ? 'refused' : kind === 'forbidden' ? 'forbidden' : 'unchecked');
      setChecking(false);
    }
  };

  return (
    <dialog
      ref={dialog}
      className={canCancel ? 'key-dialog' : 'key-dialog alone'}
      aria-labelledby={labelId}
      data-testid="key-dialog"
      onCancel={(event) => {
        event.preventDefault();
        if (canCancel) onCancel();
      }}
    >
      <form onSubmit={submit}>
        <div className="key-dialog-top">
          <Mark />
          <button type="button" className="button quiet" onClick={onLanguage}>
            {texts.otherLanguage}
          </button>
        </div>
        <h1 id={labelId}>{texts.key.title}</h1>
        <p>{texts.key.text}</p>
        <label className="field">
          <span>{texts.key.label}</span>
          <input
            type="password"
            autoComplete="off"
            spellCheck={false}
            required
            value={value}
            onChange={(event) => setValue(event.target.value)}
            aria-invalid={problem !== undefined}
            aria-describedby={problemId}
            data-testid="key-input"
          />
        </label>
        <p id={problemId} className="field-problem" role="alert">
          {problem !== undefined && (
            <>
              <Icon name="warning" size={16} /> {texts.key[problem]}
            </>
          )}
        </p>
        <div className="key-dialog-buttons">
          {canCancel && (
            <>
              <button type="button" className="button quiet" onClick={onForget}>
                {texts.key.forget}
              </button>
              <button type="button" className="button" onClick={onCancel}>
                {texts.cancel}
              </button>
            </>
          )}
          <button
            type="submit"
            className="button primary"
            disabled={checking || value.trim() === ''}
            data-testid="key-submit"
          >
            {checking ? texts.key.checking : texts.key.use}
          </button>
        </div>
      </form>
    </dialog>
  );
}
