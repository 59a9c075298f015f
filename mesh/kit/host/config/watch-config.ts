import { readFileSync } from 'node:fs';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Logger } from '../../base/log.ts';

/** What a watch goes by. */
export interface ConfigWatch {
  /** The file. */
  path: string;
  /** Reads and checks it, as at the start; throws for a bad one. */
  load: () => Config;
  /** Applies it; rejects if a service refuses. */
  apply: (config: Config) => Promise<void>;
  log: Logger;
  /** Time between two looks, in milliseconds. @default 1000 */
  intervalMs?: number;
}

/**
 * Watches a configuration file and applies what changes in it; a file that is bad or gone changes nothing, and the log says why. It looks
 * at the text, not at events of the file system: so it sees through the links that Kubernetes swaps, and an editor's half-written
 * file is not treated as a whole one, because a text counts once two looks have seen it. Returns the function that ends the watch.
 */
export function watchConfig({ path, load, apply, log, intervalMs = 1000 }: ConfigWatch): () => void {
  let applied = read(path);
  let seen = applied;
  let isBusy = false;
  const look = async () => {
    if (isBusy) return;
    const text = read(path);
    const isStanding = text === seen;
    seen = text;
    if (!isStanding || text === applied) return;
    applied = text;
    if (text === undefined) {
      log.error({ path }, 'the configuration file is gone: what it said stays in force');
      return;
    }
    isBusy = true;
    try {
      await apply(load());
      log.info({ event: 'config_reloaded', path }, 'configuration reloaded');
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      log.error({ path, problem }, 'the new configuration is refused: the old one stays in force');
    } finally {
      isBusy = false;
    }
  };
  const timer = setInterval(() => void look(), intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Absent or unreadable: either way there is no text, which the caller reports.
    return undefined;
  }
}
