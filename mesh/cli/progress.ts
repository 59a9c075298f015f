/** A line that shows the progress of long work. */
export interface Progress {
  /** Shows `done` of `total` (0: not known yet) and the current step. */
  update(done: number, total: number, label: string): void;
  /** Ends the line. */
  end(): void;
}

const barWidth = 30;

/**
 * Creates a progress line on standard error: a bar that is redrawn on a terminal, and elsewhere (a log) a line every five
 * seconds.
 */
export function createProgress(stream: NodeJS.WriteStream = process.stderr, clock: () => number = Date.now): Progress {
  const everyMs = stream.isTTY ? 100 : 5000;
  let shownAt = Number.NEGATIVE_INFINITY;
  let latest = '';
  const show = () => {
    stream.write(stream.isTTY ? `\r\x1b[K${latest}` : `${latest}\n`);
    shownAt = clock();
  };
  return {
    update(done, total, label) {
      latest = `${bar(done, total)} ${label}`;
      if (clock() - shownAt >= everyMs) show();
    },
    end() {
      if (latest === '') return;
      show();
      if (stream.isTTY) stream.write('\n');
    },
  };
}

function bar(done: number, total: number): string {
  const share = total === 0 ? 0 : Math.min(1, done / total);
  const filled = Math.round(share * barWidth);
  const percent = total === 0 ? '  … ' : `${String(Math.floor(share * 100)).padStart(3)}%`;
  return `[${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}] ${percent}`;
}
