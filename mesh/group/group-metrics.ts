import { Gauge, type Registry } from 'prom-client';
import type { Seat } from './keep.ts';
import type { Role } from './messages.ts';

/** Registers the metrics of the group itself. `seats`: its places now. */
export function registerGroupMetrics(registry: Registry, seats: () => readonly { role: Role; seat: Seat }[]): void {
  const registers = [registry];
  new Gauge({
    name: 'ragmesh_group_members',
    help: 'Processes of a group of workers that serve',
    labelNames: ['role'],
    registers,
    collect() {
      for (const role of ['owner', 'worker'] as const) {
        const all = seats().filter((each) => each.role === role);
        this.set({ role }, all.filter(({ seat }) => seat.member?.isServing()).length);
      }
    },
  });
  new Gauge({
    name: 'ragmesh_group_restarts',
    help: 'Processes of a group of workers that ended by themselves and were replaced, since its start',
    labelNames: ['role'],
    registers,
    collect() {
      for (const role of ['owner', 'worker'] as const) {
        const all = seats().filter((each) => each.role === role);
        this.set(
          { role },
          all.reduce((sum, { seat }) => sum + seat.restartCount, 0),
        );
      }
    },
  });
}
