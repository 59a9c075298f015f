import { TransportProvider } from '@connectrpc/connect-query';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { type ComponentType, lazy, type ReactNode, Suspense, useEffect, useMemo, useRef } from 'react';
import { I18nProvider } from 'react-aria-components/I18nProvider';
import type { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { Api } from '../api.ts';
import { Backdrop } from '../components/backdrop.tsx';
import { Mark } from '../components/icon.tsx';
import { TopBar } from '../components/top-bar.tsx';
import type { Credentials, Persona } from '../hooks/use-credentials.ts';
import { useEscape } from '../hooks/use-escape.ts';
import { useMedia } from '../hooks/use-media.ts';
import { useRail } from '../hooks/use-rail.ts';
import { type PageLanguage, useMessages } from '../i18n/index.ts';
import { canRetry, failureOf } from '../state/failure.ts';
import { type Place, type Section, sectionsOf } from '../state/sections.ts';
import { keepFirstPages } from './first-pages.ts';
import { OperationTextsContext, operationTexts } from './i18n/index.ts';
import type { SectionProps } from './section.ts';
import { Empty } from './ui/empty.tsx';

interface OperationsProps {
  api: Api;
  /** For uploads, which do not go through the clients of `api`. */
  apiKey: string;
  language: PageLanguage;
  onLanguage: () => void;
  credentials: Credentials;
  onPersona: (persona: Persona) => void;
  onChangeKey: () => void;
  /** The server did not accept the key. */
  onRefused: () => void;
  navigation: ReactNode;
  place: Place;
  roles: readonly Role[];
}

/** Each section with what only it needs, loaded when it is opened. */
const pages: Record<Section, ComponentType<SectionProps>> = {
  inbox: lazy(async () => ({ default: (await import('./inbox/inbox-section.tsx')).InboxSection })),
  conversations: lazy(async () => ({
    default: (await import('./conversations/conversations-section.tsx')).ConversationsSection,
  })),
  lab: lazy(async () => ({ default: (await import('./lab/lab-section.tsx')).LabSection })),
  documents: lazy(async () => ({ default: (await import('./documents/documents-section.tsx')).DocumentsSection })),
  jobs: lazy(async () => ({ default: (await import('./jobs/jobs-section.tsx')).JobsSection })),
  sources: lazy(async () => ({ default: (await import('./sources/sources-section.tsx')).SourcesSection })),
  quality: lazy(async () => ({ default: (await import('./quality/quality-section.tsx')).QualitySection })),
  evaluation: lazy(async () => ({
    default: (await import('./evaluation/evaluation-section.tsx')).EvaluationSection,
  })),
  cost: lazy(async () => ({ default: (await import('./cost/cost-section.tsx')).CostSection })),
  administration: lazy(async () => ({
    default: (await import('./administration/administration-section.tsx')).AdministrationSection,
  })),
};

/** The console beside asking: the menu, and the section of the address. */
export function Operations(props: OperationsProps) {
  const { api, apiKey, language, place, roles, onRefused } = props;
  const texts = useMessages();
  const ownTexts = operationTexts[language];
  const queries = useQueries(onRefused);
  const narrow = useMedia('(max-width: 760px)');
  const rail = useRail(narrow);
  const title = texts.sections[place.section];
  useEffect(() => {
    document.title = `${title} · ragmesh`;
    return () => {
      document.title = 'ragmesh';
    };
  }, [title]);
  const address = [place.section, ...place.parts].join('/');
  // What was chosen in the menu is behind it.
  useEffect(() => rail.uncover(), [address, rail.uncover]);
  useEscape(() => {
    if (!rail.covers) return;
    rail.uncover();
    rail.button.current?.focus();
  });
  const Page = pages[place.section];
  const isAllowed = sectionsOf(roles).includes(place.section);

  return (
    <I18nProvider locale={texts.tag}>
      <OperationTextsContext value={ownTexts}>
        <TransportProvider transport={api.transport}>
          <QueryClientProvider client={queries}>
            <div className="workspace" data-rail={rail.isOpen} data-panel={false}>
              <nav id="rail" className="rail" aria-label={ownTexts.menu} inert={!rail.isOpen} data-testid="rail">
                <div className="brand">
                  <Mark />
                  <span>ragmesh</span>
                </div>
                {props.navigation}
              </nav>
              {rail.covers && <Backdrop onClick={rail.uncover} />}
              <main className="main" inert={rail.covers}>
                <TopBar
                  title={title}
                  railOpen={rail.isOpen}
                  railLabels={texts.sections}
                  onRail={rail.toggle}
                  railButton={rail.button}
                  credentials={props.credentials}
                  onPersona={props.onPersona}
                  onChangeKey={props.onChangeKey}
                  onLanguage={props.onLanguage}
                />
                <div className="operations">
                  {isAllowed && (
                    <Suspense fallback={<p className="waiting">{ownTexts.loading}</p>}>
                      <Page api={api} apiKey={apiKey} parts={place.parts} roles={roles} />
                    </Suspense>
                  )}
                  {!isAllowed && roles.length > 0 && (
                    <Empty title={texts.failures.forbidden.title} text={texts.failures.forbidden.text} />
                  )}
                </div>
              </main>
            </div>
          </QueryClientProvider>
        </TransportProvider>
      </OperationTextsContext>
    </I18nProvider>
  );
}

/** The replies of the server: read again after ten seconds or a change, a refused key reported. */
function useQueries(onRefused: () => void): QueryClient {
  const report = useRef(onRefused);
  report.current = onRefused;
  return useMemo(() => {
    const onError = (error: unknown) => {
      if (failureOf(error).kind === 'credentials') report.current();
    };
    const queryCache = new QueryCache({ onError });
    keepFirstPages(queryCache);
    return new QueryClient({
      queryCache,
      mutationCache: new MutationCache({ onError }),
      defaultOptions: {
        queries: {
          staleTime: 10_000,
          retry: (count, error) => count < 2 && isTransient(error),
        },
      },
    });
  }, []);
}

function isTransient(error: unknown): boolean {
  const failure = failureOf(error);
  return canRetry(failure) && ['unavailable', 'offline', 'deadline'].includes(failure.kind);
}
