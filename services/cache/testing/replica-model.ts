import { acquiring, next, type Sharing, type SharingEffect, type SharingEvent } from '../flights/sharing.ts';

// Replicas that share one key, by the pure state machine of sharing and a model of the link. Every call to the link, every timer and
// every step of a caller is one task, and `choices` decides which task runs next: any order, any delay, and faults.

/** The outcome of a run. */
export interface ReplicaRun {
  answer: string;
  /** The text of each caller whose replica lives. */
  texts: string[];
  generationCount: number;
  /** Most replicas that led the key at one time. */
  mostLeaders: number;
  /** Most leases of the key that replicas could publish under at one time. */
  mostLeases: number;
}

interface Replica {
  readonly id: number;
  isAlive: boolean;
  text: string | undefined;
  flight: ModelFlight | undefined;
}

interface ModelFlight {
  readonly leaseId: string;
  followedLease: string;
  state: Sharing;
  said: string[];
  leads: boolean;
  end: 'finished' | 'abandoned' | undefined;
}

interface ModelLease {
  leaseId: string;
  owner: number;
  expiresAtMs: number;
}

interface Task {
  run: () => void;
  dueMs: number;
}

const answer = 'abcdef';
const leaseMs = 700;
const heartbeatMs = 140;
const maxSteps = 20_000;

/** Runs one caller on each replica until each that lives has a text. Throws if that takes too many steps. */
export function runReplicas({
  replicaCount,
  choices,
  faults,
}: {
  replicaCount: number;
  choices: Iterator<number>;
  faults: boolean;
}): ReplicaRun {
  const replicas: Replica[] = Array.from({ length: replicaCount }, (_, id) => ({
    ...{ id, isAlive: true, text: undefined, flight: undefined },
  }));
  const link = createModelLink();
  const tasks: Task[] = [];
  const run: ReplicaRun = { answer, texts: [], generationCount: 0, mostLeaders: 0, mostLeases: 0 };
  let nowMs = 0;
  let idCount = 0;
  let faultsLeft = faults ? 4 : 0;

  const choose = (count: number): number => (choices.next().value as number) % count;
  const later = (task: () => void, afterMs = 0) => void tasks.push({ run: task, dueMs: nowMs + afterMs });
  const hasFault = (): boolean => {
    if (faultsLeft === 0 || choose(8) !== 0) return false;
    faultsLeft--;
    return true;
  };

  /** Makes a call to the link: it takes effect at some later time, and its answer arrives later still, or gets lost. */
  const call = <T>(replica: Replica, work: () => T, onResult: (result: T) => void, onFailure: () => void) =>
    later(() => {
      if (!replica.isAlive) return;
      const isLost = hasFault();
      const result = isLost ? undefined : { value: work() };
      if (result === undefined || hasFault()) later(onFailure);
      else later(() => replica.isAlive && onResult(result.value));
    });

  function dispatch(replica: Replica, flight: ModelFlight, event: SharingEvent): void {
    if (!replica.isAlive) return;
    const [state, effects] = next(flight.state, event);
    flight.state = state;
    for (const effect of effects) perform(replica, flight, effect);
  }

  function perform(replica: Replica, flight: ModelFlight, effect: SharingEffect): void {
    const report = (event: SharingEvent) => dispatch(replica, flight, event);
    switch (effect.do) {
      case 'lead':
        flight.leads = true;
        run.generationCount++;
        later(() => generate(replica, flight));
        break;
      case 'relay':
        flight.followedLease = effect.leaseId;
        break;
      case 'end':
        endFlight(replica, flight, effect.end);
        break;
      case 'watch':
        later(() => report({ is: 'watched' }));
        break;
      case 'unwatch':
        break;
      case 'poll':
        later(() => report({ is: 'news' }), heartbeatMs);
        break;
      case 'release':
        call(
          replica,
          () => link.release(replica.id, flight.leaseId, effect.end, effect.keptMs, nowMs),
          () => {},
          () => {},
        );
        break;
      case 'send': {
        const batch = flight.said.slice(effect.from, effect.to);
        call(
          replica,
          () => link.append(replica.id, flight.leaseId, batch, nowMs),
          (isHeld) => report({ is: 'sent', isHeld }),
          () => report({ is: 'send_failed' }),
        );
        break;
      }
      case 'renew':
        call(
          replica,
          () => link.renew(replica.id, flight.leaseId, nowMs),
          (status) => report({ is: 'renewed', status, lease: { leaseId: flight.leaseId, begunAtMs: 0 }, nowMs }),
          () => report({ is: 'renew_failed' }),
        );
        break;
      case 'acquire_again':
        call(
          replica,
          () => link.acquire(replica.id, flight.leaseId, nowMs),
          (leaseId) => report({ is: 'reacquired', isOurs: leaseId === flight.leaseId }),
          () => report({ is: 'renew_failed' }),
        );
        break;
      case 'read':
        call(
          replica,
          () => link.read(flight.followedLease, Number(effect.position), nowMs),
          ({ said, position, end, isHeld }) => {
            flight.said.push(...said);
            report({ is: 'read', batchCount: said.length, position: String(position), end, isHeld, nowMs });
          },
          () => report({ is: 'read_failed', nowMs }),
        );
        break;
      default:
        effect satisfies never;
    }
  }

  /** A caller enters the key, as a look-up does. */
  function enter(replica: Replica): void {
    const leaseId = `lease ${++idCount} of ${replica.id}`;
    const flight: ModelFlight = {
      ...{ leaseId, followedLease: leaseId, state: acquiring(false), said: [], leads: false, end: undefined },
    };
    replica.flight = flight;
    call(
      replica,
      () => link.acquire(replica.id, leaseId, nowMs),
      (held) =>
        dispatch(replica, flight, {
          ...{ is: 'acquired', held: { leaseId: held, begunAtMs: 0 }, isOurs: held === leaseId, nowMs },
        }),
      () => dispatch(replica, flight, { is: 'acquire_failed' }),
    );
    beat(replica, flight);
  }

  function beat(replica: Replica, flight: ModelFlight): void {
    later(() => {
      if (!replica.isAlive || flight.state.phase === 'alone') return;
      dispatch(replica, flight, { is: 'heartbeat' });
      beat(replica, flight);
    }, heartbeatMs);
  }

  /** The caller that leads says the next piece of the answer, or fails. */
  function generate(replica: Replica, flight: ModelFlight): void {
    if (!replica.isAlive || flight.end !== undefined) return;
    if (replicas.filter(({ isAlive }) => isAlive).length > 1 && hasFault()) {
      replica.isAlive = false;
      return;
    }
    if (hasFault()) endFlight(replica, flight, 'abandoned');
    else if (flight.said.length === answer.length) endFlight(replica, flight, 'finished');
    else {
      flight.said.push(answer[flight.said.length] as string);
      dispatch(replica, flight, { is: 'appended' });
      later(() => generate(replica, flight), choose(20));
    }
  }

  function endFlight(replica: Replica, flight: ModelFlight, end: 'finished' | 'abandoned'): void {
    if (flight.end !== undefined) return;
    flight.end = end;
    dispatch(replica, flight, { is: 'ended', end, keptMs: end === 'finished' ? 60_000 : 0 });
    if (end === 'finished') replica.text = flight.said.join('');
    else enter(replica);
  }

  for (const replica of replicas) later(() => enter(replica), choose(100));
  for (let step = 0; replicas.some(({ isAlive, text }) => isAlive && text === undefined); step++) {
    if (step === maxSteps || tasks.length === 0) throw new Error(`no end after ${step} steps at ${nowMs} ms`);
    const due = tasks.filter(({ dueMs }) => dueMs <= nowMs);
    if (due.length === 0) {
      nowMs = Math.min(...tasks.map(({ dueMs }) => dueMs));
      continue;
    }
    const task = due[choose(due.length)] as Task;
    tasks.splice(tasks.indexOf(task), 1);
    task.run();
    nowMs += choose(3);
    const open = replicas.filter(
      ({ isAlive, flight }) => isAlive && flight?.leads === true && flight.end === undefined,
    );
    run.mostLeaders = Math.max(run.mostLeaders, open.length);
    const publishing = replicas.filter(
      ({ id, isAlive, flight }) =>
        isAlive && flight?.state.phase === 'leading' && link.isHeldBy(id, flight.leaseId, nowMs),
    );
    run.mostLeases = Math.max(run.mostLeases, publishing.length);
  }
  run.texts = replicas.flatMap(({ isAlive, text }) => (isAlive ? [text ?? ''] : []));
  return run;
}

/** A model of the link for one key: what the scripts in Redis do. */
function createModelLink() {
  let lease: ModelLease | undefined;
  const streams = new Map<string, { said: string[]; end: 'finished' | 'abandoned' | undefined }>();
  const streamOf = (leaseId: string) => {
    const stream = streams.get(leaseId) ?? { said: [], end: undefined };
    streams.set(leaseId, stream);
    return stream;
  };
  const current = (nowMs: number): ModelLease | undefined => {
    if (lease !== undefined && lease.expiresAtMs <= nowMs) lease = undefined;
    return lease;
  };
  const own = (owner: number, leaseId: string, nowMs: number): ModelLease | undefined => {
    const known = current(nowMs);
    return known?.leaseId === leaseId && known.owner === owner ? known : undefined;
  };
  return {
    isHeldBy: (owner: number, leaseId: string, nowMs: number) => own(owner, leaseId, nowMs) !== undefined,
    acquire(owner: number, leaseId: string, nowMs: number): string {
      const known = current(nowMs);
      if (known !== undefined) return known.leaseId;
      lease = { leaseId, owner, expiresAtMs: nowMs + leaseMs };
      return leaseId;
    },
    renew(owner: number, leaseId: string, nowMs: number): 'held' | 'moved' | 'gone' | 'lost' {
      const known = current(nowMs);
      if (known === undefined) return 'gone';
      if (known.leaseId !== leaseId) return 'lost';
      if (known.owner !== owner) return 'moved';
      known.expiresAtMs = nowMs + leaseMs;
      return 'held';
    },
    append(owner: number, leaseId: string, batch: string[], nowMs: number): boolean {
      const known = own(owner, leaseId, nowMs);
      if (known === undefined) return false;
      streamOf(leaseId).said.push(...batch);
      known.expiresAtMs = nowMs + leaseMs;
      return true;
    },
    release(owner: number, leaseId: string, end: 'finished' | 'abandoned', keptMs: number, nowMs: number): void {
      const known = own(owner, leaseId, nowMs);
      if (known === undefined) return;
      if (keptMs > 0) known.expiresAtMs = nowMs + keptMs;
      else lease = undefined;
      streamOf(leaseId).end = end;
    },
    read(leaseId: string, position: number, nowMs: number) {
      const { said, end } = streamOf(leaseId);
      const fresh = said.slice(position);
      return { said: fresh, position: said.length, end, isHeld: current(nowMs)?.leaseId === leaseId };
    },
  };
}
