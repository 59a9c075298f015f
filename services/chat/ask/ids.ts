/** Creates a maker of ids that sort by time, and are unique in a process and, in practice, among processes. */
export function createIds(clock: () => number, random: () => number): () => string {
  let count = 0;
  const digits = () =>
    Math.floor(random() * 2 ** 40)
      .toString(36)
      .padStart(8, '0');
  return () => {
    count = (count + 1) % 36 ** 4;
    return `${clock().toString(36).padStart(9, '0')}${count.toString(36).padStart(4, '0')}${digits()}${digits()}`;
  };
}
