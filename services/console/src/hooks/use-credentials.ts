import { useCallback, useEffect, useState } from 'react';
import { type DevelopmentKeys, fetchDevelopmentKeys } from '../api.ts';
import { forgetDrafts } from './kept-drafts.ts';

/** The persona that asks, on a development server. */
export type Persona = 'staff' | 'customer';

/** How the page authenticates. */
export type Credentials =
  | { kind: 'loading' }
  | { kind: 'unreachable' }
  /** Keys from a development server. */
  | { kind: 'development'; keys: DevelopmentKeys; persona: Persona }
  /** The user's own key. */
  | { kind: 'own'; key: string }
  /** A key is needed; `refused`: the server refused the last one. */
  | { kind: 'none'; refused: boolean };

const keyStorage = 'ragmesh.key';
const personaStorage = 'ragmesh.persona';

/** Returns the key to call with; `undefined` if there is none. */
export function keyOf(credentials: Credentials): string | undefined {
  if (credentials.kind === 'own') return credentials.key;
  if (credentials.kind !== 'development') return undefined;
  return credentials.persona === 'customer' ? credentials.keys.customer : credentials.keys.staff;
}

/** The credentials and the actions on them. */
export interface CredentialsControl {
  credentials: Credentials;
  /** Fetches the keys again, after the server was unreachable or has renewed them. */
  reload(): void;
  setPersona(persona: Persona): void;
  /** Sets a key, kept until the tab is closed. */
  setKey(key: string): void;
  /** Removes the user's own key; `refused`: because the server refused it. */
  forgetKey(refused: boolean): void;
}

/** Holds the credentials: those of a development server, else the key that was entered in this tab. */
export function useCredentials(): CredentialsControl {
  const [credentials, setCredentials] = useState<Credentials>({ kind: 'loading' });
  const [attempt, setAttempt] = useState(0); // a change fetches again
  useEffect(() => {
    const controller = new AbortController();
    fetchDevelopmentKeys(controller.signal).then(
      (keys) => {
        if (!controller.signal.aborted)
          setCredentials(keys === undefined ? ownCredentials() : developmentCredentials(keys));
      },
      () => {
        if (!controller.signal.aborted) setCredentials({ kind: 'unreachable' });
      },
    );
    return () => controller.abort();
  }, [attempt]);

  return {
    credentials,
    reload: useCallback(() => setAttempt((count) => count + 1), []),
    setPersona(persona) {
      forgetDrafts(sessionStorage);
      sessionStorage.setItem(personaStorage, persona);
      setCredentials((now) => (now.kind === 'development' ? { ...now, persona } : now));
    },
    setKey(key) {
      forgetDrafts(sessionStorage);
      sessionStorage.setItem(keyStorage, key);
      setCredentials({ kind: 'own', key });
    },
    forgetKey: useCallback((refused: boolean) => {
      forgetDrafts(sessionStorage);
      sessionStorage.removeItem(keyStorage);
      setCredentials({ kind: 'none', refused });
    }, []),
  };
}

function ownCredentials(): Credentials {
  const key = sessionStorage.getItem(keyStorage);
  return key === null ? { kind: 'none', refused: false } : { kind: 'own', key };
}

function developmentCredentials(keys: DevelopmentKeys): Credentials {
  const customer = keys.customer !== undefined && sessionStorage.getItem(personaStorage) === 'customer';
  return { kind: 'development', keys, persona: customer ? 'customer' : 'staff' };
}
