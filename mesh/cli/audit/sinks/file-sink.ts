import { type FileHandle, open } from 'node:fs/promises';
import { CommandError } from '../../command.ts';
import { lineOf } from './line.ts';
import type { ExportSink } from './sink.ts';

const lineFeed = 0x0a;
/** Bytes read at a time when the last line is looked for. */
const blockBytes = 64 * 1024;
/** Longest line. */
const maxLineBytes = 32 << 20;

/**
 * Opens a file that lines are appended to. It is its own cursor: an export continues after its last whole line, and removes a part of a line that a
 * kill has left. `after` is the cursor of an empty file, after a rotation.
 */
export async function openFileSink(path: string, tenant: string, after: number): Promise<ExportSink> {
  const file = await open(path, 'a+', 0o600);
  let sizeBytes = 0;
  return {
    async resume() {
      const { size } = await file.stat();
      sizeBytes = await endOfLines(file, size);
      if (sizeBytes < size) await file.truncate(sizeBytes);
      if (sizeBytes === 0) return { sequence: after };
      const last = lineOf(await lastLine(file, sizeBytes), path);
      if (last.tenant !== tenant) throw new CommandError(`${path} has entries of tenant "${last.tenant}"`);
      return { sequence: last.sequence };
    },
    async write({ lines }) {
      const { size } = await file.stat();
      if (size !== sizeBytes)
        throw new CommandError(`another program writes to ${path}: an export needs a file of its own`);
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      await file.appendFile(bytes);
      await file.sync();
      sizeBytes += bytes.length;
    },
    close: () => file.close(),
  };
}

/** Returns the position after the last line feed before `end`, 0 if there is none. */
async function endOfLines(file: FileHandle, end: number): Promise<number> {
  for (let high = end; high > 0; ) {
    const low = Math.max(0, high - blockBytes);
    const block = Buffer.alloc(high - low);
    await file.read(block, 0, block.length, low);
    const at = block.lastIndexOf(lineFeed);
    if (at >= 0) return low + at + 1;
    high = low;
  }
  return 0;
}

/** Returns the line that ends with the line feed before `end`. */
async function lastLine(file: FileHandle, end: number): Promise<string> {
  const start = await endOfLines(file, end - 1);
  if (end - start > maxLineBytes) throw new CommandError('the last line of the file is no entry of an audit');
  const bytes = Buffer.alloc(end - 1 - start);
  await file.read(bytes, 0, bytes.length, start);
  return bytes.toString('utf8');
}
