/** Returns an id of 26 lowercase letters and digits, 124 random bits at most. It names things; it is no secret. */
export function randomId(random: () => number): string {
  const half = () =>
    Math.floor(random() * 2 ** 52)
      .toString(32)
      .padStart(11, '0');
  const more = () =>
    Math.floor(random() * 2 ** 20)
      .toString(32)
      .padStart(4, '0');
  return half() + half() + more();
}
