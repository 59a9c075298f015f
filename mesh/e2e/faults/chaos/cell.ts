import { Code, ConnectError } from '@connectrpc/connect';
import { StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import { askWhole } from '../../testing/whole-mesh.ts';
import type { Fault } from './link.ts';
import type { Row, World } from './world.ts';

/** What a caller saw of a dependency with a fault. */
export interface Seen {
  /** How each question ended: "whole", "without cache" (the degraded stages), or code and reason of its error. */
  endings: string[];
  /** Time of each question, in milliseconds. */
  tookMs: number[];
  /** Time from the end of the fault to the first whole answer, in milliseconds; `undefined`: none came. */
  recoveredMs: number | undefined;
}

/** Questions that are asked one after another while the fault lasts. */
export const questionCount = 12;
/** Longest wait for a whole answer after the fault, in milliseconds: a circuit is open for at most 8 s, a connection backs off for 5. */
export const recoveryMs = 30_000;
/** A question that takes longer has hung, in milliseconds. */
const askTimeoutMs = 20_000;

let asked = 0;

/** Asks a question that no cache knows. Resolves to how it ended. */
export async function askOnce({ chat, options }: World): Promise<string> {
  const question = `How long do I have to send back unwashed bedding? Order ${1000 + asked++}.`;
  try {
    const { done } = await askWhole(chat, { question }, { ...options, timeoutMs: askTimeoutMs });
    const stages = done.degradations.map(({ stage }) => enumName(StageSchema, stage).toLowerCase());
    return stages.length === 0 ? 'whole' : `without ${[...new Set(stages)].sort().join(', ')}`;
  } catch (error) {
    const failure = ConnectError.from(error);
    return `${Code[failure.code]} ${errorInfoOf(failure)?.reason ?? 'without a reason'}`;
  }
}

/** Asks until answers are whole. Throws if none is within {@link recoveryMs}. */
export async function untilWhole(world: World): Promise<void> {
  const deadline = performance.now() + recoveryMs;
  let last = '';
  while (performance.now() < deadline) {
    last = await askOnce(world);
    if (last === 'whole') return;
    await sleep(50);
  }
  throw new Error(`no whole answer within ${recoveryMs} ms, but: ${last}`);
}

/** Gives the dependency the fault, asks, ends the fault, and waits for a whole answer. */
export async function meet(world: World, row: Row, fault: Fault): Promise<Seen> {
  const seen: Seen = { endings: [], tookMs: [], recoveredMs: undefined };
  await row.begin(fault);
  try {
    for (let count = 0; count < questionCount; count++) {
      const startedAt = performance.now();
      seen.endings.push(await askOnce(world));
      seen.tookMs.push(performance.now() - startedAt);
    }
  } finally {
    await row.end();
  }
  const endedAt = performance.now();
  await untilWhole(world).then(
    () => {
      seen.recoveredMs = performance.now() - endedAt;
    },
    () => {},
  );
  return seen;
}
