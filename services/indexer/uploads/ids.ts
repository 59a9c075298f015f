/** Returns an id that sorts by time: 9 characters of time, then 16 random ones. */
export function createId(nowMs: number, random: () => number): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz234567';
  const chance = Array.from({ length: 16 }, () => letters[Math.floor(random() * letters.length)]).join('');
  return `${nowMs.toString(36).padStart(9, '0')}${chance}`;
}

/** Returns the time at which an id was made, in milliseconds since 1970. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 9), 36);
}
