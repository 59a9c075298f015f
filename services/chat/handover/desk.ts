import type { Handover } from '#gen/ragmesh/chat/v1/conversation_pb.ts';

/** A conversation that waits for a person. */
export interface HandoverRequest {
  readonly tenant: string;
  readonly user: string;
  /** Empty if the conversation has no session: the desk cannot report its state then. */
  readonly sessionId: string;
  /** Id of the answer that requested the person; a repeated report has the same. */
  readonly answerId: string;
  readonly handover: Handover;
}

/** What an adapter of the desk gets from the service. */
export interface DeskDeps {
  clock: () => number;
  fetch: typeof globalThis.fetch;
}

/** The system in which persons answer. */
export interface HandoverDesk {
  /** Reports a conversation that waits. Resolves when the desk has accepted it; rejects if it did not in the end. */
  report(request: HandoverRequest, signal: AbortSignal): Promise<void>;
}
