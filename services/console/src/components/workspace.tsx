import { useCallback, useEffect, useRef, useState } from 'react';
import type { Api } from '../api.ts';
import { type Scope, useConversation } from '../hooks/use-conversation.ts';
import type { Credentials, Persona } from '../hooks/use-credentials.ts';
import { useMedia } from '../hooks/use-media.ts';
import { useOverview } from '../hooks/use-overview.ts';
import { useSessions } from '../hooks/use-sessions.ts';
import { type PageLanguage, useMessages } from '../i18n/index.ts';
import { type Answer, isSettled } from '../state/ask.ts';
import { isBusy } from '../state/conversation.ts';
import { citedMarkers, type Evidence, evidenceOf } from '../state/evidence.ts';
import { Composer } from './composer.tsx';
import { DocumentPanel } from './document-panel.tsx';
import { FailureNotice } from './failure-notice.tsx';
import { JumpButton } from './jump-button.tsx';
import { SessionRail } from './session-rail.tsx';
import { TopBar } from './top-bar.tsx';
import { Turn } from './turn.tsx';
import { Welcome } from './welcome.tsx';

interface WorkspaceProps {
  api: Api;
  language: PageLanguage;
  onLanguage: () => void;
  credentials: Credentials;
  onPersona: (persona: Persona) => void;
  onChangeKey: () => void;
  /** The server did not accept the key. */
  onRefused: () => void;
  draft: string;
  onDraft: (draft: string) => void;
}

interface Opened {
  /** Key of the answer that cites it. */
  key: string;
  evidence: Evidence;
}

/** The page of one person: conversations, the one that is open, and the document beside it. */
export function Workspace(props: WorkspaceProps) {
  const { api, language, credentials, onPersona, onRefused, draft, onDraft } = props;
  const texts = useMessages();
  const sessions = useSessions(api);
  const control = useConversation(api, sessions.reload);
  const { conversation } = control;
  const overview = useOverview(api);
  const [scope, setScope] = useState<Scope>({ corpora: [], model: '' });
  const [opened, setOpened] = useState<Opened>();
  const narrow = useMedia('(max-width: 760px)');
  const panelCovers = useMedia('(max-width: 1120px)');
  // Beside the page the rail is open unless it was closed; over a narrow page it is closed unless it was opened.
  const [railToggled, setRailToggled] = useState(false);
  const railButton = useRef<HTMLButtonElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLElement>(null);
  const last = conversation.answers.at(-1);
  const busy = isBusy(conversation);
  const railOpen = narrow ? railToggled : !railToggled;

  // A refused key is noticed wherever it shows first.
  const refused = [
    conversation.failure,
    last?.failure,
    sessions.failure,
    overview.state === 'failed' ? overview.failure : undefined,
  ];
  const isRefused = refused.some((failure) => failure?.kind === 'credentials');
  useEffect(() => {
    if (!isRefused) return;
    if (last?.failure?.kind === 'credentials') onDraft(last.question); // ready to be asked with another key
    onRefused();
  }, [isRefused, onRefused]);

  // The session is in the address, so that a reload comes back to it.
  const { open, clear } = control;
  const [firstSessionId] = useState(sessionInAddress);
  useEffect(() => {
    if (firstSessionId !== '') open(firstSessionId);
    else field.current?.focus();
  }, [open, firstSessionId]);
  useEffect(() => {
    if (conversation.opening || conversation.failure !== undefined) return;
    keepInAddress(conversation.sessionId);
  }, [conversation.sessionId, conversation.opening, conversation.failure]);

  // A new question goes to the top, and its answer grows below it without moving.
  useEffect(() => {
    if (last === undefined || isSettled(last)) return;
    const turn = scroller.current?.querySelector(`[data-key="${CSS.escape(last.key)}"]`);
    turn?.scrollIntoView({ block: 'start', behavior: prefersCalm() ? 'instant' : 'smooth' });
  }, [last?.key]);

  // An earlier conversation opens at its last question.
  useEffect(() => {
    if (conversation.opening) return;
    scroller.current?.querySelector('.turn:last-child')?.scrollIntoView({ block: 'start', behavior: 'instant' });
  }, [conversation.opening]);

  const title = conversation.answers[0]?.question ?? '';
  useEffect(() => {
    document.title = title === '' ? 'ragmesh' : `${title.slice(0, 60)} · ragmesh`;
  }, [title]);

  // The button that was pressed gives way to another. On a touch screen the focus would bring up the keyboard.
  const focusField = () => {
    if (!window.matchMedia('(pointer: coarse)').matches) field.current?.focus();
  };
  const ask = (question: string) => {
    control.ask(question, scope);
    onDraft('');
    focusField();
  };
  const startNew = useCallback(() => {
    clear();
    setOpened(undefined);
    setRailToggled((toggled) => (narrow ? false : toggled));
    field.current?.focus();
  }, [clear, narrow]);
  const closePanel = () => {
    setOpened(undefined);
    opener.current?.focus();
  };
  const changePersona = (persona: Persona) => {
    if (draft.trim() === '' && last !== undefined) onDraft(last.question); // ready to be asked as the other
    keepInAddress(''); // nobody opens another's session
    // A model that one persona may name is refused to another.
    setScope({ corpora: [], model: '' });
    onPersona(persona);
  };

  const citing = conversation.answers.find(({ key }) => key === opened?.key);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes what lies on top, wherever the focus is
    <div
      className="workspace"
      data-rail={railOpen}
      data-panel={opened !== undefined}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.defaultPrevented || event.nativeEvent.isComposing) return;
        if (narrow && railOpen) {
          setRailToggled(false);
          railButton.current?.focus();
        } else if (opened !== undefined && !(busy && event.target === field.current)) closePanel();
      }}
    >
      <SessionRail
        sessions={sessions}
        currentId={conversation.sessionId}
        hidden={!railOpen || (opened !== undefined && panelCovers)}
        onOpen={(sessionId) => {
          setOpened(undefined);
          if (narrow) setRailToggled(false);
          open(sessionId);
        }}
        onNew={startNew}
        onRemoved={(sessionId) => {
          if (sessionId === conversation.sessionId) startNew();
        }}
      />
      {narrow && railOpen && (
        // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: Escape does the same
        <div className="backdrop" onClick={() => setRailToggled(false)} />
      )}
      <main className="main" inert={(opened !== undefined && panelCovers) || (narrow && railOpen)}>
        <TopBar
          title={conversation.answers.length > 1 ? title : ''} // a single question stands below anyway
          railOpen={railOpen}
          onRail={() => setRailToggled(!railToggled)}
          railButton={railButton}
          credentials={credentials}
          onPersona={changePersona}
          onChangeKey={props.onChangeKey}
          onLanguage={props.onLanguage}
        />
        <div className="scroller" ref={scroller}>
          <div
            className="column"
            role="log"
            aria-live="polite"
            aria-relevant="additions text"
            data-testid="conversation"
          >
            {conversation.failure !== undefined && (
              <FailureNotice failure={conversation.failure} title={texts.sessions.notOpened} />
            )}
            {conversation.opening && <p className="waiting">{texts.loading}</p>}
            {conversation.answers.length === 0 && !conversation.opening && (
              <Welcome overview={overview} language={language} onAsk={ask} />
            )}
            {conversation.answers.map((answer) => (
              <Turn
                key={answer.key}
                answer={answer}
                last={answer === last}
                openedMarker={opened?.key === answer.key ? opened.evidence.marker : undefined}
                onOpen={(of, evidence, element) => {
                  opener.current = element;
                  setOpened({ key: of.key, evidence });
                }}
                onRate={async ({ answerId }, rating, comment) => {
                  await api.chat.submitFeedback({ answerId, rating, comment });
                }}
                onAskAgain={(failed) => control.askAgain(failed, scope)}
                onFresh={({ question }) => control.ask(question, scope, { bypassCache: true })}
              />
            ))}
          </div>
          {conversation.answers.length > 0 && <JumpButton scroller={scroller} />}
        </div>
        <Composer
          draft={draft}
          onDraft={onDraft}
          busy={busy}
          followUp={conversation.answers.length > 0}
          overview={overview.state === 'ready' ? overview.value : undefined}
          scope={scope}
          onScope={setScope}
          onAsk={ask}
          onStop={() => {
            control.stop();
            focusField();
          }}
          field={field}
        />
        <p className="hidden" role="status" data-testid="status">
          {last !== undefined && statusOf(last, texts)}
        </p>
      </main>
      {opened !== undefined && panelCovers && (
        // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: Escape does the same
        <div className="backdrop" onClick={closePanel} />
      )}
      {opened !== undefined && (
        <DocumentPanel
          api={api}
          evidence={opened.evidence}
          siblings={citing === undefined ? [] : siblingsOf(citing, opened.evidence)}
          onShow={(evidence) => setOpened({ ...opened, evidence })}
          onClose={closePanel}
        />
      )}
    </div>
  );
}

/** The sources that the answer cites; all of them where the opened one is not cited. */
function siblingsOf(answer: Answer, evidence: Evidence): Evidence[] {
  const all = evidenceOf(answer);
  const cited = citedMarkers(answer);
  return cited.has(evidence.marker) ? all.filter(({ marker }) => cited.has(marker)) : all;
}

function statusOf(answer: Answer, texts: ReturnType<typeof useMessages>): string {
  switch (answer.phase) {
    case 'asking':
      return answer.sources.length > 0 ? texts.answer.reading(answer.sources.length) : texts.answer.searching;
    case 'writing':
      return '';
    case 'done':
      return answer.startedMs > 0 ? texts.answer.complete : '';
    case 'stopped':
      return texts.answer.stopped;
    case 'failed':
      return answer.failure === undefined ? '' : texts.failures[answer.failure.kind].title;
    default:
      return answer.phase satisfies never;
  }
}

function sessionInAddress(): string {
  return new URLSearchParams(window.location.hash.slice(1)).get('session') ?? '';
}

function keepInAddress(sessionId: string): void {
  if (sessionId === sessionInAddress()) return;
  const { pathname, search } = window.location;
  const hash = sessionId === '' ? '' : `#session=${encodeURIComponent(sessionId)}`;
  window.history.replaceState(null, '', `${pathname}${search}${hash}`);
}

function prefersCalm(): boolean {
  return window.matchMedia('(prefers-reduced-motion: reduce)').matches;
}
