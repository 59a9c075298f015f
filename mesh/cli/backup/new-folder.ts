import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CommandError } from '../command.ts';
import { syncFile } from './manifest.ts';

/**
 * Makes a folder that appears with all of its content or not at all: `fill` writes into a folder beside it, which takes its name at the end.
 * Throws CommandError, with the flag that names the folder, if something is in it.
 */
export async function fillNewFolder<T>(
  folder: string,
  flag: string,
  fill: (partial: string) => Promise<T>,
): Promise<T> {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new CommandError(`${flag}: ${folder} is not empty: name a new folder, or move that one away`);
  }
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true, mode: 0o700 });
  try {
    const result = await fill(partial);
    // Fails if something has been written into it meanwhile.
    if (existsSync(folder)) rmdirSync(folder);
    renameSync(partial, folder);
    await syncFile(dirname(resolve(folder)));
    return result;
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
}
