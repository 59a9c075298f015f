/** Most files in one upload. */
const batchFiles = 500;
/** Most bytes in one upload, unless a single file has more. */
const batchBytes = 64 * 1024 * 1024;

/** Puts files into uploads of bounded size: one that fails is sent again alone, and what was accepted stays. */
export function inBatches<File extends { content: { size: number } }>(files: readonly File[]): File[][] {
  const batches: File[][] = [];
  let bytes = 0;
  for (const file of files) {
    const last = batches.at(-1);
    if (last === undefined || last.length >= batchFiles || bytes + file.content.size > batchBytes) {
      batches.push([file]);
      bytes = file.content.size;
    } else {
      last.push(file);
      bytes += file.content.size;
    }
  }
  return batches;
}
