import { useCallback, useEffect, useReducer, useRef } from 'react';
import type { Session } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Api } from '../api.ts';
import { type Failure, failureOf } from '../state/failure.ts';

/** Sessions of the user, the latest first. */
export interface Sessions {
  sessions: readonly Session[];
  /** Empty if there are no more. */
  nextPageToken: string;
  loaded: boolean;
  failure?: Failure;
}

type SessionsAction =
  | { kind: 'page'; sessions: readonly Session[]; nextPageToken: string; first: boolean }
  | { kind: 'removed'; sessionId: string }
  | { kind: 'failed'; failure: Failure };

const pageSize = 30;

function updateSessions(state: Sessions, action: SessionsAction): Sessions {
  switch (action.kind) {
    case 'page': {
      const kept = action.first ? [] : state.sessions;
      const known = new Set(kept.map(({ sessionId }) => sessionId));
      const added = action.sessions.filter(({ sessionId }) => !known.has(sessionId));
      return { sessions: [...kept, ...added], nextPageToken: action.nextPageToken, loaded: true };
    }
    case 'removed':
      return { ...state, sessions: state.sessions.filter(({ sessionId }) => sessionId !== action.sessionId) };
    case 'failed':
      return { ...state, loaded: true, failure: action.failure };
    default:
      return action satisfies never;
  }
}

/** The sessions and the actions on them. */
export interface SessionsControl extends Sessions {
  reload(): void;
  more(): void;
  /** Deletes a session and returns whether that succeeded. */
  remove(sessionId: string): Promise<boolean>;
}

/** Holds the list of sessions. */
export function useSessions(api: Api): SessionsControl {
  const [state, dispatch] = useReducer(updateSessions, { sessions: [], nextPageToken: '', loaded: false });
  const loading = useRef<AbortController>(undefined);

  const load = useCallback(
    (pageToken: string) => {
      loading.current?.abort();
      loading.current = new AbortController();
      const { signal } = loading.current;
      api.chat.listSessions({ pageSize, pageToken }, { signal }).then(
        ({ sessions, nextPageToken }) => {
          if (!signal.aborted) dispatch({ kind: 'page', sessions, nextPageToken, first: pageToken === '' });
        },
        (thrown: unknown) => {
          if (!signal.aborted) dispatch({ kind: 'failed', failure: failureOf(thrown) });
        },
      );
    },
    [api],
  );
  useEffect(() => {
    load('');
    return () => loading.current?.abort();
  }, [load]);

  return {
    ...state,
    reload: useCallback(() => load(''), [load]),
    more: () => load(state.nextPageToken),
    async remove(sessionId) {
      try {
        await api.chat.deleteSession({ sessionId });
      } catch (thrown) {
        dispatch({ kind: 'failed', failure: failureOf(thrown) });
        return false;
      }
      dispatch({ kind: 'removed', sessionId });
      return true;
    },
  };
}
