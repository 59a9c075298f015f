import type { JsonObject } from '@bufbuild/protobuf';
import type { ToolDecision } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import type { Owner } from '../sessions/owner.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { noTools, type ToolPlan } from './plan.ts';
import type { OfferedTool } from './toolbox.ts';

/**
 * Plans the call that a caller has decided about. It is taken from the store, so it is made at most once, with the arguments that the caller
 * has seen. Returns `undefined` if it no longer waits, or if the caller may not use the tool any more.
 */
export async function planDecision(
  sessions: Pick<Sessions, 'takeProposal'>,
  owner: Owner,
  { callId, approved }: ToolDecision,
  offered: readonly OfferedTool[],
): Promise<ToolPlan | undefined> {
  const proposal = await sessions.takeProposal(owner, callId);
  const found = offered.find(({ tool }) => tool.name === proposal?.tool);
  if (proposal === undefined || found === undefined) return undefined;
  const given = JSON.parse(proposal.argumentsJson) as JsonObject;
  const first = { offered: found, arguments: given, callId, isApproved: approved };
  return { ...noTools, offered, first, isDeclined: !approved, question: proposal.question };
}
