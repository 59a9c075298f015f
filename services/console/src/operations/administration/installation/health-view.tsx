import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import {
  CircuitHealthState,
  type GetHealthResponse,
  InstallationService,
  type ProcessHealth,
  type ServiceHealth,
} from '#gen/ragmesh/evaluation/v1/installation_pb.ts';
import { formatCount, formatMs, formatTime } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { Facts } from '../../ui/facts.tsx';
import { formatBytes } from '../../ui/format-bytes.ts';
import { PlainTable } from '../../ui/plain-table.tsx';
import { Reply } from '../../ui/reply.tsx';

/** How often the health is read again, in milliseconds. */
const pollMs = 10_000;

/** `/administration/health`: the processes, what they wait for, and what is away. */
export function HealthView() {
  const health = useQuery(InstallationService.method.getHealth, {}, { refetchInterval: pollMs });
  return (
    <Reply query={health}>
      {(reply) => (
        <div className="stack">
          <Verdict health={reply} />
          <Processes processes={reply.processes} />
          <Circuits health={reply} />
          <Backlogs health={reply} />
          <Answers health={reply} />
        </div>
      )}
    </Reply>
  );
}

/** Services that no process can serve, or some replica cannot. */
function notReadyOf(processes: readonly ProcessHealth[]): string[] {
  const away = processes.flatMap(({ services }) => services.filter(({ isReady }) => !isReady));
  return [...new Set(away.map(({ service }) => service))];
}

function Verdict({ health: { processes, unreachableSources } }: { health: GetHealthResponse }) {
  const texts = useOperationTexts().installation;
  const { tag } = useMessages();
  const notReady = notReadyOf(processes);
  const count = processes.reduce((sum, { processCount }) => sum + processCount, 0);
  const versions = new Set(processes.flatMap((process) => process.versions));
  return (
    <div className="stack-small" role="status" data-testid="verdict">
      <p>
        <Badge tone={notReady.length === 0 ? 'good' : 'bad'}>
          {notReady.length === 0 ? texts.ready : texts.notReady(notReady.join(', '))}
        </Badge>{' '}
        <span className="faint">{texts.readyText(formatCount(count, tag))}</span>
      </p>
      {versions.size > 1 && <p>{texts.several}</p>}
      {unreachableSources.length > 0 && <p>{texts.unreachable(unreachableSources.join(', '))}</p>}
    </div>
  );
}

function Processes({ processes }: { processes: readonly ProcessHealth[] }) {
  const texts = useOperationTexts().installation;
  const { columns } = texts;
  return (
    <section aria-label={texts.processes} className="stack-small">
      <h3 className="sub-head">{texts.processes}</h3>
      <PlainTable
        columns={[
          ...[columns.instance, columns.services, columns.version, columns.since],
          ...[columns.load, columns.memory, columns.disk],
        ]}
        testId="processes"
      >
        {processes.map((process) => (
          <ProcessRow key={process.instance} process={process} />
        ))}
      </PlainTable>
    </section>
  );
}

/** What a process reports that was built without a version. */
const noVersion = 'unknown';

function ProcessRow({ process }: { process: ProcessHealth }) {
  const texts = useOperationTexts().installation;
  const { tag } = useMessages();
  const bytes = (count: bigint) => (count === 0n ? '–' : formatBytes(Number(count), tag));
  return (
    <tr>
      <th scope="row">
        <span className="two-lines">
          <span>{process.instance}</span>
          {process.processCount > 1 && (
            <span className="faint">{texts.members(formatCount(process.processCount, tag))}</span>
          )}
        </span>
      </th>
      <td>
        <span className="badges services">
          {process.services.map((service) => (
            <ServiceBadge key={service.service} service={service} />
          ))}
        </span>
      </td>
      <td>{process.versions.filter((version) => version !== noVersion).join(', ') || '–'}</td>
      <td>{process.startedAt === undefined ? '–' : formatTime(timestampDate(process.startedAt), tag)}</td>
      <td>{formatCount(process.openCallCount, tag)}</td>
      <td>{bytes(process.memoryBytes)}</td>
      <td>{process.diskBytes === 0n ? '–' : texts.freeOf(bytes(process.diskFreeBytes), bytes(process.diskBytes))}</td>
    </tr>
  );
}

function ServiceBadge({ service: { service, isReady, degradedCount } }: { service: ServiceHealth }) {
  const texts = useOperationTexts().installation.service;
  const [tone, state]: [Tone, string] = !isReady
    ? ['bad', texts.notReady]
    : degradedCount > 0
      ? ['warning', texts.degraded]
      : ['good', texts.ready];
  return (
    <Badge tone={tone}>
      {service}
      {tone === 'good' ? <span className="hidden">: {state}</span> : `: ${state}`}
    </Badge>
  );
}

const circuitTones: Record<number, Tone> = {
  [CircuitHealthState.CLOSED]: 'good',
  [CircuitHealthState.HALF_OPEN]: 'warning',
  [CircuitHealthState.OPEN]: 'bad',
};

function Circuits({ health: { circuits } }: { health: GetHealthResponse }) {
  const texts = useOperationTexts().installation;
  const { tag } = useMessages();
  const { circuitColumns: columns } = texts;
  const shown = circuits.filter(({ state }) => state !== CircuitHealthState.CLOSED);
  return (
    <section aria-label={texts.circuits} className="stack-small">
      <h3 className="sub-head">{texts.circuits}</h3>
      {shown.length === 0 && (
        <p className="faint">
          {circuits.length === 0 ? texts.noCircuits : texts.allClosed(formatCount(circuits.length, tag))}
        </p>
      )}
      {shown.length > 0 && (
        <PlainTable columns={[columns.dependency, columns.process, columns.state]} testId="circuits">
          {shown.map(({ instance, dependency, state }) => (
            <tr key={`${instance} ${dependency}`}>
              <th scope="row">{dependency}</th>
              <td>{instance}</td>
              <td>
                <Badge tone={circuitTones[state] ?? 'plain'}>{texts.circuitStates[state]}</Badge>
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
    </section>
  );
}

function Backlogs({ health: { backlogs } }: { health: GetHealthResponse }) {
  const texts = useOperationTexts().installation;
  const { tag } = useMessages();
  const { backlogColumns: columns } = texts;
  return (
    <section aria-label={texts.backlogs} className="stack-small">
      <h3 className="sub-head">{texts.backlogs}</h3>
      <PlainTable columns={[columns.what, columns.count, columns.oldest]} testId="backlogs">
        {backlogs.map(({ kind, topic, count, oldestMs }) => (
          <tr key={`${kind} ${topic}`}>
            <th scope="row">{[texts.backlogKinds[kind], topic].filter(Boolean).join(': ')}</th>
            <td>{formatCount(count, tag)}</td>
            <td>{oldestMs === 0n ? '–' : formatMs(Number(oldestMs))}</td>
          </tr>
        ))}
      </PlainTable>
    </section>
  );
}

function Answers({ health }: { health: GetHealthResponse }) {
  const texts = useOperationTexts().installation;
  const { tag } = useMessages();
  const listed = (entries: readonly (readonly [string, bigint])[]) =>
    entries.map(([name, count]) => `${name} ${formatCount(count, tag)}`).join(', ') || texts.none;
  return (
    <section aria-label={texts.answers} className="stack-small">
      <h3 className="sub-head">{texts.answers}</h3>
      <Facts
        facts={[
          [texts.skipped, listed(health.skippedStages.map(({ stage, count }) => [stage, count]))],
          [
            texts.versions,
            listed(health.versions.map(({ state, count }) => [texts.versionStates[state] ?? state, count])),
          ],
          [texts.losses, listed(health.storeLosses.map(({ store, chunkCount }) => [store, chunkCount]))],
          [texts.truncated, formatCount(health.truncatedChainCount, tag)],
        ]}
      />
    </section>
  );
}
