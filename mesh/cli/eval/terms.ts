import { existsSync, readFileSync } from 'node:fs';
import { fromJson, type JsonValue, type MessageInitShape } from '@bufbuild/protobuf';
import { IndexAdminService, type TermTable, TermTableSchema } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { CommandError } from '../command.ts';
import type { MeshConnection } from '../connect.ts';

/** Sets the tenant's terms to those of a file or to none. Disposing the result restores the previous terms. */
export async function withTerms(mesh: MeshConnection, path: string | undefined): Promise<AsyncDisposable> {
  const terms = fromJson(TermTableSchema, path === undefined ? {} : (readJson(path) as JsonValue));
  const admin = mesh.client(IndexAdminService);
  const { terms: earlier } = await admin.getTerms({});
  await admin.putTerms({ terms });
  const none: MessageInitShape<typeof TermTableSchema> = {};
  return {
    async [Symbol.asyncDispose]() {
      await admin.putTerms({ terms: (earlier as TermTable | undefined) ?? none });
    },
  };
}

/** Reads a file of JSON. Throws CommandError if it does not exist. */
export function readJson(path: string): unknown {
  if (!existsSync(path)) throw new CommandError(`${path} does not exist`);
  return JSON.parse(readFileSync(path, 'utf8'));
}
