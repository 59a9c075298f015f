import { create } from '@bufbuild/protobuf';
import { DegradationSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { AskedQuery } from './ask.ts';

/** An answer of a run: what the question at one way of searching has resulted in. */
export interface Answer {
  /** Index of the way: 0 is the run's own. */
  way: number;
  asked: AskedQuery;
}

/** What a run keeps of its answers, so that another attempt continues with them. */
export interface Checkpoint {
  /** Returns the answers of earlier attempts at this version of the data set. `totalCount`: the searches of the run. */
  read(dataSetVersion: string, totalCount: number): Promise<Answer[]>;
  /** Called after each answer. */
  add(answer: Answer): Promise<void>;
}

/** Writes answers as bytes. */
export function toBytes(answers: readonly Answer[]): Uint8Array {
  const lean = answers.map(({ way, asked: { degradations, ...asked } }) => ({
    way,
    asked: { ...asked, degradations: degradations.map(({ stage, reason, effect }) => ({ stage, reason, effect })) },
  }));
  return new TextEncoder().encode(JSON.stringify(lean));
}

/** Reads what {@link toBytes} has written. */
export function fromBytes(bytes: Uint8Array): Answer[] {
  const lean = JSON.parse(new TextDecoder().decode(bytes)) as Answer[];
  return lean.map(({ way, asked }) => ({
    way,
    asked: { ...asked, degradations: asked.degradations.map((one) => create(DegradationSchema, one)) },
  }));
}
