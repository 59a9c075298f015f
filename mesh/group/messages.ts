import type { ReadinessReport } from '#kit/host/readiness.ts';
import type { SampleResult } from '../start/sample.ts';

// What the primary of a group and its members say to each other, over the channel of a forked process.

/** What a member is: the one process with the records of the group, or one of the workers. */
export type Role = 'owner' | 'worker';

/** The first message to a member. */
export interface StartMessage {
  readonly kind: 'start';
  readonly role: Role;
  /** Number of a worker, from 1; 0: the owner. */
  readonly number: number;
  /** Socket on which the owner serves the workers. */
  readonly path: string;
  /** File in which the owner counts changes. */
  readonly changesPath: string;
  /** Names of the services of the group. */
  readonly services: readonly string[];
  /** The configuration, as a binary message. */
  readonly config: Uint8Array;
}

/** What the primary asks of a member that serves. */
export type Question =
  /** Its readiness and metrics. */
  | { readonly is: 'report' }
  | { readonly is: 'reconfigure'; readonly config: Uint8Array }
  /** To load the sample knowledge base; for the owner. */
  | { readonly is: 'load_sample' };

export type ToMember =
  | StartMessage
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** Finish and exit. */
  | { readonly kind: 'drain' };

/** What a member reports when it serves. */
export interface Serving {
  readonly grpcPort: number;
  /** `undefined` if it runs no edge. */
  readonly edge: { port: number; devKeys: { dev: string; customer: string } | undefined } | undefined;
}

/** The readiness of a member, and its metrics as `registry.getMetricsAsJSON()` returns them. */
export interface MemberReport {
  readonly readiness: readonly ReadinessReport[];
  readonly metrics: readonly object[];
}

export type FromMember =
  | { readonly kind: 'serving'; readonly serving: Serving }
  /** It could not start. `isPlain`: the message says what to do, and needs no stack. */
  | { readonly kind: 'failed'; readonly message: string; readonly isPlain: boolean }
  | { readonly kind: 'answer'; readonly id: number; readonly result: MemberReport | SampleResult | undefined }
  | { readonly kind: 'refusal'; readonly id: number; readonly problem: string };
