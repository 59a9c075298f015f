import { formatMs } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import type { Answer, StageName, StageProgress, StageState } from '../../state/ask.ts';
import { isSettled } from '../../state/ask.ts';

/** The stages of every question, in their order. */
const path: readonly StageName[] = ['cache', 'rewrite', 'vector', 'keyword', 'rerank', 'prompt', 'generate'];

/** Returns the stages to show: those of every question, plus web search if it ran and the last checks if they failed. */
function stagesOf(stages: readonly StageProgress[]): StageName[] {
  const has = (name: StageName, state?: StageState) =>
    stages.some((stage) => stage.name === name && (state === undefined || stage.state === state));
  return path.flatMap((name): StageName[] => {
    if (name === 'rerank' && has('web')) return ['web', name];
    if (name === 'generate' && has('validate', 'degraded')) return [name, 'validate'];
    return [name];
  });
}

/** The stages of a question in order, with state and time of each. */
export function StageRow({ answer }: { answer: Answer }) {
  const texts = useMessages();
  const settled = isSettled(answer);
  return (
    <ol className="stages" aria-label={texts.stages.title} data-testid="stages">
      {stagesOf(answer.stages).map((name) => {
        const stage = answer.stages.find((known) => known.name === name);
        const state = stage?.state ?? (settled ? 'skipped' : 'pending');
        const time = stage?.latencyMs !== undefined && state !== 'skipped' ? formatMs(stage.latencyMs) : '';
        return (
          <li
            key={name}
            data-state={state}
            data-testid={`stage-${name}`}
            title={stage?.detail || texts.stageStates[state]}
          >
            <span className="stage-stop" />
            <span className="stage-name">{texts.stages[name]}</span>
            <span className="stage-time">{time}</span>
            <span className="hidden">{texts.stageStates[state]}</span>
          </li>
        );
      })}
    </ol>
  );
}
