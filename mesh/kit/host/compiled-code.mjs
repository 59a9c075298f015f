// Keeps compiled code for the next start, beside the packages: who may change them may change it. A start then takes two thirds of the CPU, and the
// process and each of its threads some 11 MB less, because none of them loads the compiler of TypeScript. Plain JavaScript, and imported before the
// program (`node --import`), for that reason; a program that imports it itself has its first files compiled each time.
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { join } from 'node:path';

// Without the right to write there, nothing is kept.
enableCompileCache(join(import.meta.dirname, '..', '..', '..', 'node_modules', '.cache', 'ragmesh', 'code'));
const folder = getCompileCacheDir();
// Threads and child processes find it in the environment.
if (folder !== undefined) process.env.NODE_COMPILE_CACHE ??= folder;
