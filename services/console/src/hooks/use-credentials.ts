import { useCallback, useEffect, useState } from 'react';
import { type DevelopmentKeys, fetchDevelopmentKeys } from '../api.ts';

/** As whom to ask, on a server in development. */
export type Persona = 'staff' | 'customer';

/** With what right the page calls. */
export type Credentials =
  | { kind: 'loading' }
  | { kind: 'unreachable' }
  /** A server in development gives the keys. */
  | { kind: 'development'; keys: DevelopmentKeys; persona: Persona }
  /** A person's own key. */
  | { kind: 'own'; key: string }
  /** A key is wanted; `refused`: the last one was not accepted. */
  | { kind: 'none'; refused: boolean };

const keyStorage = 'ragmesh.key';
const personaStorage = 'ragmesh.persona';

/** The key to call with; `undefined` where there is none. */
export function keyOf(credentials: Credentials): string | undefined {
  if (credentials.kind === 'own') return credentials.key;
  if (credentials.kind !== 'development') return undefined;
  return credentials.persona === 'customer' ? credentials.keys.customer : credentials.keys.staff;
}

/** The credentials and what can be done with them. */
export interface CredentialsControl {
  credentials: Credentials;
  /** Looks for keys again: after the server could not be reached, or has renewed its own. */
  reload(): void;
  setPersona(persona: Persona): void;
  /** Takes a key; kept as long as the tab. */
  setKey(key: string): void;
  /** Forgets the person's own key; `refused`: because the server did not accept it. */
  forgetKey(refused: boolean): void;
}

/** Keeps the credentials: those of a server in development, else the key that was given in this tab. */
export function useCredentials(): CredentialsControl {
  const [credentials, setCredentials] = useState<Credentials>({ kind: 'loading' });
  const [attempt, setAttempt] = useState(0); // another one is a reason to fetch again
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
      sessionStorage.setItem(personaStorage, persona);
      setCredentials((now) => (now.kind === 'development' ? { ...now, persona } : now));
    },
    setKey(key) {
      sessionStorage.setItem(keyStorage, key);
      setCredentials({ kind: 'own', key });
    },
    forgetKey: useCallback((refused: boolean) => {
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
