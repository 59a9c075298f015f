import { useCallback, useEffect, useRef, useState } from 'react';
import type { Api } from '../api.ts';
import { isBusy } from '../state/conversation.ts';
import { type Scope, useConversation } from './use-conversation.ts';
import type { Persona } from './use-credentials.ts';
import { useEscape } from './use-escape.ts';
import { useMedia } from './use-media.ts';
import { useOpenedSource } from './use-opened-source.ts';
import { useOverview } from './use-overview.ts';
import { useRail } from './use-rail.ts';
import { setSessionInAddress, useSessionAddress } from './use-session-address.ts';
import { useSessions } from './use-sessions.ts';

interface WorkspaceOptions {
  api: Api;
  draft: string;
  onDraft: (draft: string) => void;
  onPersona: (persona: Persona) => void;
  /** The server did not accept the key. */
  onRefused: () => void;
}

/** Holds the state of the page of one user, and the actions on it. */
export function useWorkspace({ api, draft, onDraft, onPersona, onRefused }: WorkspaceOptions) {
  const sessions = useSessions(api);
  const control = useConversation(api, sessions.reload);
  const { conversation, open, clear } = control;
  const overview = useOverview(api);
  const [scope, setScope] = useState<Scope>({ corpora: [], model: '' });
  const narrow = useMedia('(max-width: 760px)');
  const panelCovers = useMedia('(max-width: 1120px)');
  const rail = useRail(narrow);
  const opened = useOpenedSource(conversation.answers);
  const field = useRef<HTMLTextAreaElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const last = conversation.answers.at(-1);
  const busy = isBusy(conversation);
  const isCovered = rail.covers || (opened.source !== undefined && panelCovers);
  const overviewFailure = overview.state === 'failed' ? overview.failure : undefined;
  const isRefused = [conversation.failure, last?.failure, sessions.failure, overviewFailure].some(
    (failure) => failure?.kind === 'credentials',
  );
  useEffect(() => {
    if (!isRefused) return;
    if (last?.failure?.kind === 'credentials') onDraft(last.question); // can be asked again with another key
    onRefused();
  }, [isRefused, onRefused]);
  useSessionAddress(conversation, open, field);
  const title = conversation.answers[0]?.question ?? '';
  useEffect(() => {
    document.title = title === '' ? 'ragmesh' : `${title.slice(0, 60)} · ragmesh`;
  }, [title]);

  const stop = () => {
    control.stop();
    focusUnlessTouch(field.current);
  };
  const ask = (question: string) => {
    if (conversation.opening) return; // the question stays in the field until the turns before it are shown
    control.ask(question, scope);
    onDraft('');
    focusUnlessTouch(field.current);
  };
  const startNew = useCallback(() => {
    clear();
    opened.clear();
    rail.uncover();
    field.current?.focus();
  }, [clear, opened.clear, rail.uncover]);
  const changePersona = (persona: Persona) => {
    if (draft.trim() === '' && last !== undefined) onDraft(last.question); // can be asked again as the other persona
    setSessionInAddress(''); // a session belongs to one user
    setScope({ corpora: [], model: '' }); // the other persona may not be allowed to choose this model
    onPersona(persona);
  };
  useEscape((event) => {
    if (rail.covers) {
      rail.uncover();
      rail.button.current?.focus();
    } else if (opened.source !== undefined && !(busy && event.target === field.current)) opened.close();
  });

  return {
    ...{ sessions, control, conversation, overview, scope, setScope, rail, opened, panelCovers, isCovered },
    ...{ field, scroller, title, last, busy, ask, stop, startNew, changePersona },
  };
}

/** Moves the focus, except on a touch screen, on which it would open the keyboard. */
function focusUnlessTouch(element: HTMLElement | null): void {
  if (!window.matchMedia('(pointer: coarse)').matches) element?.focus();
}
