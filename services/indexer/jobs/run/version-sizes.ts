import { type CallOptions, type Client, Code } from '@connectrpc/connect';
import { type IndexAdminService, VersionState } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';

/** What a version holds. */
export interface VersionSize {
  /** 0: no version. */
  version: bigint;
  documentCount: number;
  chunkCount: number;
}

/** Sizes of the versions of a corpus. */
export interface VersionSizes {
  /** The live version; zeros if there is none. */
  live: VersionSize;
  /** Returns the size of a version; zeros if there is no such version. */
  of(version: bigint): VersionSize;
}

/** Reads the sizes of the versions of a corpus. `options` have the rights of an operator. */
export async function readSizes(
  indexAdmin: Pick<Client<typeof IndexAdminService>, 'listVersions'>,
  corpus: string,
  options: CallOptions,
): Promise<VersionSizes> {
  const { versions } = await indexAdmin.listVersions({ corpus }, options).catch((error: unknown) => {
    if (toRpcError(error).code === Code.NotFound) return { versions: [] };
    throw error;
  });
  const sizes = versions.map(({ version, state, documentCount, chunkCount }) => ({
    version,
    isLive: state === VersionState.LIVE,
    documentCount: Number(documentCount),
    chunkCount: Number(chunkCount),
  }));
  const none = { version: 0n, documentCount: 0, chunkCount: 0 };
  return {
    live: sizes.find(({ isLive }) => isLive) ?? none,
    of: (version) => sizes.find((size) => size.version === version) ?? { ...none, version },
  };
}
