import type { AnswerEvent } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { tooLarge } from '#kit/base/errors.ts';
import type { InvalidateTarget } from '../answers/answer-store.ts';
import { isOfPassages, labelsOfPassages } from '../answers/labels.ts';

/** What a flight generates, and for whom. */
export interface FlightInit {
  readonly tenant: string;
  /** Identity of the answer. */
  readonly key: string;
  /** The question in the words of its first caller. */
  readonly question: string;
  /** Who may fill it. */
  readonly holder: string;
  /** The labels of the answer that are known before it is generated. */
  readonly labels: readonly string[];
  /** What it depends on, as bytes of the contract's CacheScope. */
  readonly scope: Uint8Array;
  /** The state of the tenant's invalidations when it began; see AnswerStore. */
  readonly epoch: string;
  /** Its answer replaces a stored one. */
  readonly isRefresh: boolean;
}

/**
 * `joining` while the leader is not known; `leased` until its Fill begins; `filling` from then on; `relayed` if another replica leads;
 * `finished` if its last event is the end of an answer.
 */
export type FlightState = 'joining' | 'leased' | 'filling' | 'relayed' | 'finished' | 'abandoned';

/** What a flight reports to the list that owns it. */
export interface FlightHooks {
  appended(flight: Flight): void;
  ended(flight: Flight): void;
  /** The last follower has left. */
  unfollowed(flight: Flight): void;
}

/** A running generation: its lease, and its events so far. */
export class Flight implements FlightInit {
  readonly tenant: string;
  readonly key: string;
  readonly question: string;
  readonly holder: string;
  readonly labels: readonly string[];
  readonly scope: Uint8Array;
  readonly epoch: string;
  readonly isRefresh: boolean;
  /** Of a relayed flight, the lease of its leader. */
  leaseId: string;
  begunAtMs: number;
  /** Events so far. Followers read them here, each at its own pace, so a slow one delays no other. */
  readonly events: AnswerEvent[] = [];
  state: FlightState;
  /** An invalidation concerns it: its answer must not be stored. */
  isTainted = false;
  /** Whether its answer is stored, once it has finished. */
  isKept = false;
  readonly #hooks: FlightHooks;
  readonly #maxBytes: number;
  #sizeBytes = 0;
  #followerCount = 0;
  #change: PromiseWithResolvers<void> | undefined;

  constructor(
    init: FlightInit & { leaseId: string; begunAtMs: number; state: FlightState },
    maxBytes: number,
    hooks: FlightHooks,
  ) {
    this.tenant = init.tenant;
    this.key = init.key;
    this.question = init.question;
    this.holder = init.holder;
    this.labels = init.labels;
    this.scope = init.scope;
    this.epoch = init.epoch;
    this.isRefresh = init.isRefresh;
    this.leaseId = init.leaseId;
    this.begunAtMs = init.begunAtMs;
    this.state = init.state;
    this.#maxBytes = maxBytes;
    this.#hooks = hooks;
  }

  get isOver(): boolean {
    return this.state === 'finished' || this.state === 'abandoned';
  }

  /** Adds an event of `sizeBytes` and wakes the followers. Throws RESOURCE_EXHAUSTED beyond the largest answer. */
  append(event: AnswerEvent, sizeBytes: number): void {
    const size = this.#sizeBytes + sizeBytes;
    if (size > this.#maxBytes) throw tooLarge('the answer', this.#maxBytes);
    this.#sizeBytes = size;
    this.events.push(event);
    this.#hooks.appended(this);
    this.#notify();
  }

  /** Ends the flight: its answer is whole, or there is none. Changes nothing if the flight is over. */
  end(state: 'finished' | 'abandoned', isKept = false): void {
    if (this.isOver) return;
    this.state = state;
    this.isKept = isKept;
    this.#hooks.ended(this);
    this.#notify();
  }

  /** Resolves when the flight has a new event or has ended. */
  changed(): Promise<void> {
    this.#change ??= Promise.withResolvers();
    return this.#change.promise;
  }

  /** Counts a follower, until the returned function is called. */
  follow(): () => void {
    this.#followerCount++;
    let isHere = true;
    return () => {
      if (!isHere) return;
      isHere = false;
      if (--this.#followerCount === 0) this.#hooks.unfollowed(this);
    };
  }

  /** Returns whether an invalidation concerns the answer, or may concern it later. */
  mayConcern(target: InvalidateTarget): boolean {
    switch (target.kind) {
      case 'all':
        return true;
      case 'entry':
      // Its answer will be stored now.
      case 'before':
        return false;
      case 'label': {
        if (this.labels.includes(target.label)) return true;
        if (!isOfPassages(target.label)) return false;
        const passages = this.events.flatMap(({ event }) => (event.case === 'sources' ? event.value.passages : []));
        // Before its sources are known, a flight may use any document.
        return passages.length === 0 || labelsOfPassages(passages).includes(target.label);
      }
      default:
        return target satisfies never;
    }
  }

  #notify(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }
}
