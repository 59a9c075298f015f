import { useEffect, useMemo, useState } from 'react';
import { createApi } from './api.ts';
import { KeyDialog } from './components/key-dialog.tsx';
import { Unreachable } from './components/unreachable.tsx';
import { Workspace } from './components/workspace.tsx';
import { keyOf, useCredentials } from './hooks/use-credentials.ts';
import { initialLanguage, keepLanguage, MessagesContext, messages } from './i18n/index.ts';

/** The page: credentials and language, then the workspace of the user. */
export function App() {
  const [language, setLanguage] = useState(() => initialLanguage(localStorage, navigator.languages));
  const { credentials, reload, setPersona, setKey, forgetKey } = useCredentials();
  const [draft, setDraft] = useState('');
  const [changingKey, setChangingKey] = useState(false);
  const key = keyOf(credentials);
  const api = useMemo(() => (key === undefined ? undefined : createApi(key)), [key]);
  const texts = messages[language];

  useEffect(() => {
    document.documentElement.lang = texts.tag;
  }, [texts]);

  const toggleLanguage = () => {
    const other = language === 'en' ? 'zh' : 'en';
    keepLanguage(localStorage, other);
    setLanguage(other);
  };

  return (
    <MessagesContext value={texts}>
      {api !== undefined && (
        // Another key is another user: no state of the one before stays.
        <Workspace
          key={key}
          api={api}
          language={language}
          onLanguage={toggleLanguage}
          credentials={credentials}
          onPersona={setPersona}
          onChangeKey={() => setChangingKey(true)}
          onRefused={credentials.kind === 'development' ? reload : () => forgetKey(true)}
          draft={draft}
          onDraft={setDraft}
        />
      )}
      {credentials.kind === 'loading' && <p className="boot">{texts.loading}</p>}
      {credentials.kind === 'unreachable' && <Unreachable onRetry={reload} />}
      {(credentials.kind === 'none' || changingKey) && (
        <KeyDialog
          refused={credentials.kind === 'none' && credentials.refused}
          canCancel={credentials.kind !== 'none'}
          onLanguage={toggleLanguage}
          onCancel={() => setChangingKey(false)}
          onForget={() => {
            setChangingKey(false);
            forgetKey(false);
          }}
          onKey={(given) => {
            setChangingKey(false);
            setKey(given);
          }}
        />
      )}
    </MessagesContext>
  );
}
