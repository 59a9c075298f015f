import { Suspense } from 'react';
import type { AnswerTrace } from '#gen/ragmesh/chat/v1/answer_trace_pb.ts';
import { formatMs } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { stageName } from '../../state/ask.ts';
import { StageBars } from './plots.ts';

const toMs = (us: bigint) => Number(us) / 1000;

/** The stages of an answer as bars over its time, in the order of their starts. */
export function Waterfall({ trace }: { trace: AnswerTrace }) {
  const { stages: names, stageStates } = useMessages();
  const stages = trace.stages.toSorted((a, b) => Number(a.startedUs - b.startedUs));
  const spans = stages.map(({ startedUs, latencyUs, skipped, degraded }) => ({
    startMs: toMs(startedUs),
    endMs: toMs(startedUs + latencyUs),
    isDegraded: degraded,
    isSkipped: skipped,
  }));
  return (
    <div className="waterfall" data-testid="waterfall">
      <ol>
        {stages.map(({ stage, startedUs, latencyUs, skipped, detail }) => (
          <li key={`${stage} ${startedUs}`} data-skipped={skipped}>
            <span>{names[stageName(stage)]}</span>
            <span className="waterfall-time">{skipped ? stageStates.skipped : formatMs(toMs(latencyUs))}</span>
            <span className="faint waterfall-detail">{detail}</span>
          </li>
        ))}
      </ol>
      <div className="waterfall-chart">
        <Suspense fallback={null}>
          <StageBars spans={spans} totalMs={Math.max(1, toMs(trace.totalUs))} />
        </Suspense>
      </div>
    </div>
  );
}
