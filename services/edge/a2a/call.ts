import type { Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Admission } from '../admission/admission.ts';
import type { RunningCalls } from '../admission/running-calls.ts';
import type { SessionReads } from './past-tasks.ts';

/** One call of a client. */
export interface A2aCall {
  admission: Admission;
  /** Aborts when the client leaves. */
  signal: AbortSignal;
  /** Version of the protocol that the client names; empty: none. */
  version: string;
}

/** What the agent needs. */
export interface A2aDeps {
  chat: SessionReads & Pick<Client<typeof ChatService>, 'ask' | 'stopAnswer'>;
  running: RunningCalls;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  log: Logger;
}
