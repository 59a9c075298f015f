import type { AnswerEvent } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { tooLarge } from '#kit/base/errors.ts';
import type { InvalidateTarget } from '../answers/answer-store.ts';
import { isOfPassages, labelsOfPassages } from '../answers/labels.ts';

/** What a flight is about. */
export interface FlightInit {
  readonly tenant: string;
  /** Identity of the answer. */
  readonly key: string;
  /** The question, as the first of its callers asked it. */
  readonly question: string;
  /** Who may fill it. */
  readonly holder: string;
  /** What the answer can be named by, as far as it is known before it is made. */
  readonly labels: readonly string[];
  /** What it depends on, as bytes of the contract's CacheScope. */
  readonly scope: Uint8Array;
  /** The state of the tenant's invalidations when it began; see AnswerStore. */
  readonly epoch: string;
  /** Its answer takes the place of one that is there. */
  readonly isRefresh: boolean;
}

/**
 * `joining` while it is not known who leads; `leased` until its Fill begins; `filling` from then on; `relayed` where another replica leads;
 * `finished` where its last event is the end of an answer.
 */
export type FlightState = 'joining' | 'leased' | 'filling' | 'relayed' | 'finished' | 'abandoned';

/** What the keeper of flights is told of each. */
export interface FlightHooks {
  appended(flight: Flight): void;
  ended(flight: Flight): void;
  /** The last follower has left. */
  unfollowed(flight: Flight): void;
}

/** A generation under way: who leads it, and what it has said so far. */
export class Flight implements FlightInit {
  readonly tenant: string;
  readonly key: string;
  readonly question: string;
  readonly holder: string;
  readonly labels: readonly string[];
  readonly scope: Uint8Array;
  readonly epoch: string;
  readonly isRefresh: boolean;
  /** Of a relayed flight, that of who leads. */
  leaseId: string;
  begunAtMs: number;
  /** Events so far. Followers read them here, each at its own pace, so a slow one holds nothing up. */
  readonly events: AnswerEvent[] = [];
  state: FlightState;
  /** An invalidation met it: its answer must not be stored. */
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

  /** Adds an event of `sizeBytes`; followers get it at once. Throws RESOURCE_EXHAUSTED past the largest answer. */
  append(event: AnswerEvent, sizeBytes: number): void {
    const size = this.#sizeBytes + sizeBytes;
    if (size > this.#maxBytes) throw tooLarge('the answer', this.#maxBytes);
    this.#sizeBytes = size;
    this.events.push(event);
    this.#hooks.appended(this);
    this.#notify();
  }

  /** The answer is whole, or there will be none. Changes nothing where the flight is over. */
  end(state: 'finished' | 'abandoned', isKept = false): void {
    if (this.isOver) return;
    this.state = state;
    this.isKept = isKept;
    this.#hooks.ended(this);
    this.#notify();
  }

  /** Resolves when the flight has more to say, or has ended. */
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

  /** Whether an invalidation concerns the answer, or may yet concern it. */
  mayConcern(target: InvalidateTarget): boolean {
    switch (target.kind) {
      case 'all':
        return true;
      case 'entry':
        return false;
      case 'label': {
        if (this.labels.includes(target.label)) return true;
        if (!isOfPassages(target.label)) return false;
        const passages = this.events.flatMap(({ event }) => (event.case === 'sources' ? event.value.passages : []));
        // Before its sources are known, a flight may be about anything.
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
