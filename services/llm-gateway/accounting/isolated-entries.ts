import type { Logger } from '#kit/base/log.ts';
import { fieldsOf, type Pending } from './ledger-entry.ts';

/** Creates the list of entries on which audit fails while it may accept others. They are retried one at a time. */
export function createIsolatedEntries({
  log,
  backoffMs,
  retry,
}: {
  log: Logger;
  backoffMs(attempts: number): number;
  retry(entry: Pending): void;
}) {
  const entries: Pending[] = [];
  let timer: NodeJS.Timeout | undefined;
  const schedule = () => {
    const [first] = entries;
    timer = first && setTimeout(retryFirst, backoffMs(first.attempts));
  };
  const retryFirst = () => {
    const first = entries.shift();
    schedule();
    if (first !== undefined) retry(first);
  };
  return {
    get size() {
      return entries.length;
    },
    add(entry: Pending) {
      entries.push(entry);
      if (timer !== undefined) return;
      log.warn({ ...fieldsOf(entry), event: 'ledger_entry_failed' }, 'ledger entry failed, retry follows');
      schedule();
    },
    /** Removes and returns all entries. */
    takeAll(): Pending[] {
      clearTimeout(timer);
      timer = undefined;
      return entries.splice(0);
    },
  };
}
