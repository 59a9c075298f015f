import type { Admin } from '@platformatic/kafka';
import type { KafkaSettings } from './settings.ts';

const latest = -1n;
const earliest = -2n;

/** Returns the lag of the group: messages that no worker has finished. */
export async function readBacklog(admin: Admin, { topic, group }: KafkaSettings): Promise<ReadonlyMap<string, number>> {
  const { topics } = await admin.metadata({ topics: [topic] });
  const count = topics.get(topic)?.partitionsCount ?? 0;
  if (count === 0) return new Map();
  const at = async (timestamp: bigint) => {
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
    const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
    return new Map(found?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
  };
  const [ends, starts] = [await at(latest), await at(earliest)];
  const [committed] = await admin.listConsumerGroupOffsets({ groups: [group] });
  const done = new Map(
    committed?.topics
      .find(({ name }) => name === topic)
      ?.partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
  );
  let lag = 0n;
  for (const [partition, end] of ends) {
    const start = starts.get(partition) ?? 0n;
    const finished = done.get(partition) ?? start;
    lag += end - (finished > start ? finished : start);
  }
  return new Map([[topic, Number(lag)]]);
}
