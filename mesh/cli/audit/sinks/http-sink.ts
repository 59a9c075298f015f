import { existsSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { createSignedPost, type SignedPostOptions } from '#kit/http/signed-post.ts';
import { CommandError } from '../../command.ts';
import type { Batch, ExportSink, SinkPosition } from './sink.ts';

/** The address of a collector, and how to reach it. */
export interface HttpSinkOptions extends Omit<SignedPostOptions, 'dependency'> {
  tenant: string;
  /** Value of the header `authorization`; empty: none. */
  authorization: string;
  /** File that keeps the position. */
  statePath: string;
  /** The cursor of an export that has no file yet. */
  after: number;
}

/** The position in the file. */
interface State extends SinkPosition {
  tenant: string;
  url: string;
}

/**
 * Opens a collector that takes posts of JSON lines (`application/x-ndjson`), signed as webhooks are. The position is in a file: the end of a batch is
 * written there before it is sent, so after a kill the same entries are sent again under the same `idempotency-key`, and a collector that knows the
 * key has nothing twice.
 */
export function openHttpSink(options: HttpSinkOptions): ExportSink {
  const { tenant, url, authorization, statePath, after } = options;
  const post = createSignedPost({ ...options, dependency: 'collector' });
  const save = (position: SinkPosition) => replaceFile(statePath, JSON.stringify({ tenant, url, ...position }));
  const headersOf = ({ after: before, last }: Batch) => ({
    'content-type': 'application/x-ndjson',
    'idempotency-key': `${tenant}/${before + 1}-${last}`,
    ...(authorization !== '' && { authorization }),
  });
  return {
    async resume() {
      if (!existsSync(statePath)) return { sequence: after };
      const state = readState(statePath);
      if (state.tenant !== tenant || state.url !== url) {
        throw new CommandError(
          `${statePath} is of tenant "${state.tenant}" and ${state.url}: an export needs a file of its own`,
        );
      }
      return state;
    },
    async write(batch, signal) {
      await save({ sequence: batch.after, through: batch.last });
      await post(batch.lines.map((line) => `${line}\n`).join(''), headersOf(batch), signal);
      await save({ sequence: batch.last });
    },
    close: async () => {},
  };
}

function readState(path: string): State {
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as State;
    if (Number.isSafeInteger(state.sequence) && state.sequence >= 0) return state;
  } catch {
    // Reported below.
  }
  throw new CommandError(`${path} has no position of an export: remove it, and pass --after <sequence>`);
}

/** Replaces a file by another, whole or not at all. */
async function replaceFile(path: string, text: string): Promise<void> {
  const file = await open(`${path}.part`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
}
