import { openChangeCounter, openChangeReader, untilChanged } from '../../rpc/pipe/change-counts.ts';
import type { FrontDeps } from '../define-service.ts';
import type { GroupPart } from './group-part.ts';

/** What has changed in the owner of a group, as one process of the group counts or reads it; names belong to a service. */
export interface GroupChanges {
  /** Returns `countChange` of a service. */
  counterOf(service: string): (name: string) => void;
  /** Returns `untilChanged` of a service. */
  memoryOf(service: string): FrontDeps<unknown>['untilChanged'];
  close(): void;
}

/** Opens the counts of a group. The owner of a worker must be connected: it has made the file. */
export function openGroupChanges(part: GroupPart | undefined): GroupChanges {
  const counter = part?.role === 'owner' ? openChangeCounter(part.changesPath) : undefined;
  const reader = part?.role === 'worker' ? openChangeReader(part.changesPath) : undefined;
  const owner = part?.role === 'worker' ? part.owner : undefined;
  return {
    counterOf: (service) => (counter === undefined ? () => {} : (name) => counter.count(`${service} ${name}`)),
    memoryOf: (service) => (ask) => {
      // Without an owner there is no one who counts.
      const countOf = (name: string) =>
        owner?.isConnected() === true ? reader?.read(`${service} ${name}`) : undefined;
      return untilChanged(countOf, ask);
    },
    close() {
      counter?.close();
      reader?.close();
    },
  };
}
