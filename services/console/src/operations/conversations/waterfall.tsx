import type { AnswerTrace } from '#gen/ragmesh/chat/v1/answer_trace_pb.ts';
import { formatMs } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { stageName } from '../../state/ask.ts';

const toMs = (us: bigint) => Number(us) / 1000;

/** The stages of an answer as bars over its time, in the order of their starts. */
export function Waterfall({ trace }: { trace: AnswerTrace }) {
  const { stages: names, stageStates } = useMessages();
  const total = Math.max(1, Number(trace.totalUs));
  const stages = trace.stages.toSorted((a, b) => Number(a.startedUs - b.startedUs));
  return (
    <ol className="waterfall" data-testid="waterfall">
      {stages.map(({ stage, startedUs, latencyUs, skipped, degraded, detail }) => {
        const left = Math.min(100, (Number(startedUs) / total) * 100);
        const width = Math.min(100 - left, (Number(latencyUs) / total) * 100);
        return (
          <li key={`${stage} ${startedUs}`} data-degraded={degraded} data-skipped={skipped}>
            <span className="waterfall-name">{names[stageName(stage)]}</span>
            <svg className="waterfall-line" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
              {!skipped && <rect x={left} y={0} width={Math.max(0.6, width)} height={8} rx={0.4} />}
            </svg>
            <span className="waterfall-time">{skipped ? stageStates.skipped : formatMs(toMs(latencyUs))}</span>
            <span className="faint waterfall-detail">{detail}</span>
          </li>
        );
      })}
    </ol>
  );
}
