import type { ReactNode } from 'react';
import type { Api } from '../api.ts';
import type { Credentials, Persona } from '../hooks/use-credentials.ts';
import { useWorkspace } from '../hooks/use-workspace.ts';
import type { PageLanguage } from '../i18n/index.ts';
import { AnswerStatus } from './answer/answer-status.tsx';
import { Backdrop } from './backdrop.tsx';
import { Composer } from './composer.tsx';
import { ConversationView } from './conversation-view.tsx';
import { DocumentPanel } from './document-panel.tsx';
import { SessionRail } from './session-rail.tsx';
import { SkipLink } from './skip-link.tsx';
import { TopBar } from './top-bar.tsx';

interface WorkspaceProps {
  /** Links to the sections of the console. */
  navigation: ReactNode;
  /** Whether the caller may look into the search of an answer. */
  canExplain: boolean;
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

/** The page of one user: the sessions, the open conversation, and the document beside it. */
export function Workspace(props: WorkspaceProps) {
  const { api, language, credentials, draft, onDraft } = props;
  const workspace = useWorkspace(props);
  const { sessions, control, conversation, overview, scope, rail, opened, panelCovers, isCovered } = workspace;
  const { field, scroller, title, busy, ask, startNew } = workspace;

  return (
    <div className="workspace" data-rail={rail.isOpen} data-panel={opened.source !== undefined}>
      {!isCovered && <SkipLink target={field} />}
      <SessionRail
        navigation={props.navigation}
        sessions={sessions}
        currentId={conversation.sessionId}
        hidden={!rail.isOpen || (opened.source !== undefined && panelCovers)}
        onOpen={(sessionId) => {
          opened.clear();
          rail.uncover();
          control.open(sessionId);
        }}
        onNew={startNew}
        onRemoved={(sessionId) => {
          if (sessionId === conversation.sessionId) startNew();
        }}
      />
      {rail.covers && <Backdrop onClick={rail.uncover} />}
      <main className="main" inert={isCovered}>
        <TopBar
          title={conversation.answers.length > 1 ? title : ''} // a single question is shown below
          railOpen={rail.isOpen}
          onRail={rail.toggle}
          railButton={rail.button}
          credentials={credentials}
          onPersona={workspace.changePersona}
          onChangeKey={props.onChangeKey}
          onLanguage={props.onLanguage}
        />
        <ConversationView
          conversation={conversation}
          overview={overview}
          language={language}
          canExplain={props.canExplain}
          opened={opened.source && { key: opened.source.key, marker: opened.source.evidence.marker }}
          scroller={scroller}
          onAsk={ask}
          onOpen={opened.open}
          onRate={async ({ answerId }, rating, comment, reasons) => {
            await api.chat.submitFeedback({ answerId, rating, comment, reasons });
          }}
          onAskAgain={(failed) => control.askAgain(failed, scope)}
          onDecide={(callId, approved, words) => control.ask(words, scope, { toolDecision: { callId, approved } })}
          onFresh={({ question }) => control.ask(question, scope, { bypassCache: true })}
        />
        <Composer
          draft={draft}
          onDraft={onDraft}
          busy={busy}
          followUp={conversation.answers.length > 0}
          overview={overview.state === 'ready' ? overview.value : undefined}
          scope={scope}
          onScope={workspace.setScope}
          onAsk={ask}
          onStop={workspace.stop}
          field={field}
        />
        <AnswerStatus answer={workspace.last} />
      </main>
      {opened.source !== undefined && panelCovers && <Backdrop onClick={opened.close} />}
      {opened.source !== undefined && (
        <DocumentPanel
          api={api}
          evidence={opened.source.evidence}
          siblings={opened.siblings}
          onShow={opened.show}
          onClose={opened.close}
        />
      )}
    </div>
  );
}
