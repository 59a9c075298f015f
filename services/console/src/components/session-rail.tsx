import { timestampDate } from '@bufbuild/protobuf/wkt';
import { type ReactNode, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import type { Session } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { formatWhen } from '../format.ts';
import type { SessionsControl } from '../hooks/use-sessions.ts';
import { type Messages, useMessages } from '../i18n/index.ts';
import { Icon, Mark } from './icon.tsx';

interface SessionRailProps {
  /** Links to the sections of the console. */
  navigation: ReactNode;
  sessions: SessionsControl;
  currentId: string;
  /** Whether the rail is hidden, and so out of the tab order. */
  hidden: boolean;
  onOpen: (sessionId: string) => void;
  onNew: () => void;
  onRemoved: (sessionId: string) => void;
}

/** The list of earlier conversations. */
export function SessionRail({ navigation, sessions, currentId, hidden, onOpen, onNew, onRemoved }: SessionRailProps) {
  const texts = useMessages();
  const groups = groupByDay(sessions.sessions, new Date(), texts);
  return (
    <nav id="rail" className="rail" aria-label={texts.sessions.title} inert={hidden} data-testid="rail">
      <div className="brand">
        <Mark />
        <span>ragmesh</span>
      </div>
      {navigation}
      <button type="button" className="button new-session" onClick={onNew} data-testid="new-session">
        <Icon name="plus" /> {texts.sessions.start}
      </button>
      <div className="rail-list">
        {sessions.loaded && sessions.sessions.length === 0 && sessions.failure === undefined && (
          <p className="rail-note">{texts.sessions.none}</p>
        )}
        {sessions.failure !== undefined && (
          <p className="rail-note" role="alert">
            {texts.sessions.failed}{' '}
            <button type="button" className="link-button" onClick={sessions.reload}>
              {texts.retry}
            </button>
          </p>
        )}
        {groups.map(({ label, members }) => (
          <section key={label}>
            <h2>{label}</h2>
            <ul>
              {members.map((session) => (
                <SessionRow
                  key={session.sessionId}
                  session={session}
                  current={session.sessionId === currentId}
                  onOpen={() => onOpen(session.sessionId)}
                  onRemove={async () => {
                    if (await sessions.remove(session.sessionId)) onRemoved(session.sessionId);
                  }}
                />
              ))}
            </ul>
          </section>
        ))}
        {sessions.nextPageToken !== '' && (
          <button type="button" className="button quiet rail-more" onClick={sessions.more}>
            {texts.sessions.more}
          </button>
        )}
      </div>
    </nav>
  );
}

interface SessionRowProps {
  session: Session;
  current: boolean;
  onOpen: () => void;
  onRemove: () => void;
}

function SessionRow({ session, current, onOpen, onRemove }: SessionRowProps) {
  const texts = useMessages();
  const [confirming, setConfirming] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const title = session.title || texts.sessions.untitled;
  const keep = () => {
    flushSync(() => setConfirming(false));
    opener.current?.focus();
  };
  if (confirming) {
    return (
      <li className="session confirming">
        <span>{texts.sessions.confirm}</span>
        <button type="button" className="button danger" onClick={onRemove} data-testid="session-delete-confirm">
          {texts.sessions.confirmYes}
        </button>
        {/* biome-ignore lint/a11y/noAutofocus: the pressed button is gone, and its focus moves to the safe choice */}
        <button type="button" className="button" autoFocus onClick={keep}>
          {texts.sessions.confirmNo}
        </button>
      </li>
    );
  }
  return (
    <li className="session" data-testid="session">
      <button
        ref={opener}
        type="button"
        className="session-open"
        aria-current={current ? 'page' : undefined}
        aria-keyshortcuts="Delete"
        onClick={onOpen}
        onKeyDown={(event) => {
          if (event.key === 'Delete') setConfirming(true);
        }}
        data-testid="session-open"
      >
        <span className="session-title">{title}</span>
        {session.updatedAt !== undefined && (
          <time dateTime={timestampDate(session.updatedAt).toISOString()}>
            {formatWhen(timestampDate(session.updatedAt), new Date(), texts.tag)}
          </time>
        )}
      </button>
      {/* The Delete key does the same, so that each session is one stop in the tab order. */}
      <button
        type="button"
        className="icon-button session-delete"
        tabIndex={-1}
        aria-label={texts.sessions.remove(title)}
        title={texts.sessions.remove(title)}
        onClick={() => setConfirming(true)}
        data-testid="session-delete"
      >
        <Icon name="trash" size={16} />
      </button>
    </li>
  );
}

function groupByDay(sessions: readonly Session[], now: Date, texts: Messages): { label: string; members: Session[] }[] {
  const today = now.toDateString();
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1).toDateString();
  const groups = [
    { label: texts.sessions.today, members: [] as Session[] },
    { label: texts.sessions.yesterday, members: [] as Session[] },
    { label: texts.sessions.earlier, members: [] as Session[] },
  ] as const;
  for (const session of sessions) {
    const day = session.updatedAt === undefined ? '' : timestampDate(session.updatedAt).toDateString();
    groups[day === today ? 0 : day === yesterday ? 1 : 2].members.push(session);
  }
  return groups.filter(({ members }) => members.length > 0);
}
