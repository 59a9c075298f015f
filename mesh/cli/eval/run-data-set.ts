import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type EvaluationRun,
  EvaluationService,
  type JudgedQuery,
  type RunEvaluationRequestSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { CommandError } from '../command.ts';
import type { MeshConnection } from '../connect.ts';
import { createProgress } from '../progress.ts';

/** Questions in one message. */
const batch = 200;

/** Stores a data set in the mesh, in the place of the earlier one of its name. */
export async function putDataSet(mesh: MeshConnection, dataSet: string, queries: readonly JudgedQuery[]) {
  const messages = async function* () {
    for (let index = 0; index < queries.length; index += batch) {
      yield { dataSet, queries: queries.slice(index, index + batch) };
    }
  };
  await mesh.client(EvaluationService).putDataSet(messages());
}

/** Runs an evaluation, and shows its progress. Throws CommandError if it ends without a result. */
export async function runDataSet(
  mesh: MeshConnection,
  request: MessageInitShape<typeof RunEvaluationRequestSchema>,
): Promise<EvaluationRun> {
  const progress = createProgress();
  try {
    for await (const { event } of mesh.client(EvaluationService).runEvaluation(request)) {
      if (event.case === 'run') return event.value;
      if (event.case !== 'progress') continue;
      progress.update(event.value.doneCount, event.value.totalCount, `${event.value.doneCount} questions`);
    }
  } finally {
    progress.end();
  }
  throw new CommandError('the evaluation ended without a result');
}
