import type { CallOptions, Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Fault } from './link.ts';

/** A mesh whose dependencies can fail, and who asks it. */
export interface World extends AsyncDisposable {
  chat: Client<typeof ChatService>;
  options: CallOptions;
  rows: readonly Row[];
}

/** A dependency of a world. */
export interface Row {
  dependency: string;
  /** Begins a fault. */
  begin(fault: Fault): Promise<void>;
  /** Ends it. */
  end(): Promise<void>;
}
