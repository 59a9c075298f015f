import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import { ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { formatMs } from '../../format.ts';
import { type Messages, useMessages } from '../../i18n/index.ts';
import { type Answer, isSettled } from '../../state/ask.ts';
import { type Evidence, evidenceOf } from '../../state/evidence.ts';
import { Icon } from '../icon.tsx';

interface ToolCallsProps {
  answer: Answer;
  /** Shows the result of a call. */
  onOpen: (evidence: Evidence, opener: HTMLElement) => void;
  /** Decides about a call that waits; absent if nothing can be decided any more. */
  onDecide?: ((callId: string, approved: boolean) => void) | undefined;
}

/** The calls of tools that an answer is made from: what was called with which arguments, and its result. */
export function ToolCalls({ answer, onOpen, onDecide }: ToolCallsProps) {
  const texts = useMessages();
  const calls = answer.toolCalls ?? [];
  if (calls.length === 0) return null;
  const evidence = evidenceOf(answer);
  return (
    <ul className="tool-calls" aria-label={texts.tools.title} data-testid="tool-calls">
      {calls.map((call) => {
        const source = evidence.find(({ marker }) => marker === call.marker);
        return (
          <li key={call.callId} data-status={statusNames.get(call.status)} data-testid="tool-call">
            <Icon name="bolt" size={16} />
            <span className="tool-name">{call.title || call.tool}</span>
            <code className="tool-arguments">{argumentsOf(call)}</code>
            <span className="tool-status">{statusOf(call, texts)}</span>
            {source !== undefined && (
              <button
                type="button"
                className="marker"
                aria-label={texts.answer.citation(source.marker, source.title)}
                onClick={(event) => onOpen(source, event.currentTarget)}
                data-testid="tool-result"
              >
                {source.marker}
              </button>
            )}
            {call.status === ToolCallStatus.NEEDS_APPROVAL && onDecide !== undefined && isSettled(answer) && (
              <span className="tool-decision">
                <button
                  type="button"
                  className="button primary"
                  onClick={() => onDecide(call.callId, true)}
                  data-testid="tool-approve"
                >
                  {texts.tools.approve}
                </button>
                <button
                  type="button"
                  className="button"
                  onClick={() => onDecide(call.callId, false)}
                  data-testid="tool-decline"
                >
                  {texts.tools.decline}
                </button>
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** Names for styles. */
const statusNames: ReadonlyMap<ToolCallStatus, string> = new Map([
  [ToolCallStatus.RUNNING, 'running'],
  [ToolCallStatus.SUCCEEDED, 'succeeded'],
  [ToolCallStatus.FAILED, 'failed'],
  [ToolCallStatus.NEEDS_APPROVAL, 'needs_approval'],
  [ToolCallStatus.DECLINED, 'declined'],
]);

function statusOf({ status, detail, latencyUs }: ToolCallUpdate, { tools }: Messages): string {
  switch (status) {
    case ToolCallStatus.RUNNING:
      return tools.running;
    case ToolCallStatus.SUCCEEDED:
      return formatMs(Number(latencyUs) / 1000);
    case ToolCallStatus.FAILED:
      return detail === '' ? tools.failed : `${tools.failed}: ${detail}`;
    case ToolCallStatus.NEEDS_APPROVAL:
      return tools.needsApproval;
    case ToolCallStatus.DECLINED:
      return tools.declined;
    default:
      return '';
  }
}

/** Returns the arguments as a person reads them: `order_id: PPR-10482`. */
function argumentsOf({ argumentsJson }: ToolCallUpdate): string {
  try {
    const given: unknown = JSON.parse(argumentsJson);
    if (typeof given !== 'object' || given === null) return argumentsJson;
    return Object.entries(given)
      .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join(', ');
  } catch {
    return argumentsJson;
  }
}
