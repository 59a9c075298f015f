import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { createApi } from './api.ts';
import { KeyDialog } from './components/key-dialog.tsx';
import { Navigation } from './components/navigation.tsx';
import { Unreachable } from './components/unreachable.tsx';
import { Workspace } from './components/workspace.tsx';
import { useAddress } from './hooks/use-address.ts';
import { keyOf, useCredentials } from './hooks/use-credentials.ts';
import { useRoles } from './hooks/use-roles.ts';
import { initialLanguage, keepLanguage, MessagesContext, messages } from './i18n/index.ts';
import { placeOf, sectionsOf } from './state/sections.ts';

// Who only asks does not load the rest.
const Operations = lazy(async () => ({ default: (await import('./operations/operations.tsx')).Operations }));

/** The page: credentials and language, then the conversation or a section of the console. */
export function App() {
  const [language, setLanguage] = useState(() => initialLanguage(localStorage, navigator.languages));
  const { credentials, reload, setPersona, setKey, forgetKey } = useCredentials();
  const [draft, setDraft] = useState('');
  const [changingKey, setChangingKey] = useState(false);
  const key = keyOf(credentials);
  const api = useMemo(() => (key === undefined ? undefined : createApi(key)), [key]);
  const roles = useRoles(api);
  const sections = sectionsOf(roles);
  const place = placeOf(useAddress());
  const chatAddress = useChatAddress(place === undefined);
  const texts = messages[language];

  useEffect(() => {
    document.documentElement.lang = texts.tag;
  }, [texts]);

  const toggleLanguage = () => {
    const other = language === 'en' ? 'zh' : 'en';
    keepLanguage(localStorage, other);
    setLanguage(other);
  };
  const shared = {
    language,
    onLanguage: toggleLanguage,
    credentials,
    onPersona: setPersona,
    onChangeKey: () => setChangingKey(true),
    onRefused: credentials.kind === 'development' ? reload : () => forgetKey(true),
    navigation: <Navigation sections={sections} current={place?.section} chatAddress={chatAddress} />,
  };

  return (
    <MessagesContext value={texts}>
      {/* Another key is another user: no state of the one before stays. */}
      {api !== undefined && place === undefined && (
        <Workspace
          key={key}
          api={api}
          {...shared}
          canExplain={sections.includes('lab')}
          draft={draft}
          onDraft={setDraft}
        />
      )}
      {api !== undefined && place !== undefined && (
        <Suspense fallback={<p className="boot">{texts.loading}</p>}>
          <Operations key={key} api={api} apiKey={key ?? ''} {...shared} place={place} roles={roles} />
        </Suspense>
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

/** Returns the address of the conversation that was open last. */
function useChatAddress(isChat: boolean): string {
  const address = useRef('#');
  if (isChat) address.current = window.location.hash || '#';
  return address.current;
}
