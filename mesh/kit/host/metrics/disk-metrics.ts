import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { Gauge, type Registry } from 'prom-client';

/** Registers the size of the disk that holds a folder, read at each scrape. A folder that cannot be read has no value. */
export function registerDiskMetrics(registry: Registry, folder: string): void {
  const register = (name: string, help: string, aggregator: 'max' | 'min', blocks: (disk: StatsFs) => number) => {
    new Gauge({
      name,
      help,
      aggregator,
      registers: [registry],
      async collect() {
        const disk = await statfs(folder).catch(() => undefined);
        if (disk === undefined) this.remove();
        else this.set(blocks(disk) * disk.bsize);
      },
    });
  };
  register('ragmesh_data_disk_bytes', 'Size of the disk that holds the data folder', 'max', ({ blocks }) => blocks);
  const help = 'Free space of the disk that holds the data folder, for a process without special rights';
  register('ragmesh_data_disk_free_bytes', help, 'min', ({ bavail }) => bavail);
}
