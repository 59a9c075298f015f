import { useQuery } from '@connectrpc/connect-query';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components/Tabs';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { Choice } from '../ui/choice.tsx';
import { Empty } from '../ui/empty.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { Reply } from '../ui/reply.tsx';
import { GateSettings } from './gate-settings.tsx';
import { HealthList } from './health-list.tsx';
import { HeldVersions } from './held-versions.tsx';
import { VersionList } from './version-list.tsx';

const views = ['held', 'health', 'versions', 'gate'] as const;
type View = (typeof views)[number];

/** `/quality/<view>/<corpus>`: held versions, findings about documents, versions with rollback, and the gate. */
export function QualitySection({ parts }: SectionProps) {
  const texts = useOperationTexts();
  const view = views.find((name) => name === parts[0]) ?? 'held';
  const corpora = useQuery(RetrievalService.method.listCorpora);
  return (
    <Reply query={corpora}>
      {({ corpora: all }) => {
        const corpus = parts[1] ?? all[0]?.name;
        if (corpus === undefined) return <Empty title={texts.quality.none} text={texts.quality.noneText} />;
        const go = (toView: View, toCorpus: string) => {
          window.location.hash = linkTo('quality', toView, toCorpus);
        };
        return (
          <>
            <PageHead title={texts.quality.title}>
              {view !== 'held' && (
                <Choice
                  label={texts.documents.corpus}
                  isLabelHidden
                  value={corpus}
                  options={all.map(({ name }) => ({ value: name, label: name }))}
                  onChange={(name) => go(view, name)}
                  testId="corpus"
                />
              )}
            </PageHead>
            <Tabs className="tabs" selectedKey={view} onSelectionChange={(key) => go(key as View, corpus)}>
              <TabList className="tab-list" aria-label={texts.quality.title}>
                {views.map((name) => (
                  <Tab key={name} id={name} className="tab" data-testid={`tab-${name}`}>
                    {texts.quality.views[name]}
                  </Tab>
                ))}
              </TabList>
              <TabPanel id="held" className="tab-panel">
                <HeldVersions />
              </TabPanel>
              <TabPanel id="health" className="tab-panel">
                <HealthList key={corpus} corpus={corpus} />
              </TabPanel>
              <TabPanel id="versions" className="tab-panel">
                <VersionList key={corpus} corpus={corpus} />
              </TabPanel>
              <TabPanel id="gate" className="tab-panel">
                <GateSettings key={corpus} corpus={corpus} />
              </TabPanel>
            </Tabs>
          </>
        );
      }}
    </Reply>
  );
}
