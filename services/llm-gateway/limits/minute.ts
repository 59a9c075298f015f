import { slotCount, slotMs } from './windows.ts';

/** A sliding minute: amounts by slot of time. */
export interface Minute {
  /** Returns the sum of the window at `slot`. */
  sum(slot: number): number;
  /** Adds to a slot. A slot outside of the window does not change, and no slot falls below 0. */
  add(slot: number, amount: number): void;
  /** Returns when `amount` more of the window at `slot` is free, in milliseconds since 1970. */
  freeAt(slot: number, amount: number): number;
}

/** Creates an empty minute: a ring buffer in which a new slot replaces an expired one. */
export function createMinute(): Minute {
  const slots = new Float64Array(slotCount).fill(-1);
  const amounts = new Float64Array(slotCount);
  const counts = (index: number, slot: number) => (slots[index] as number) > slot - slotCount;
  return {
    sum(slot) {
      let sum = 0;
      for (let index = 0; index < slotCount; index++) if (counts(index, slot)) sum += amounts[index] as number;
      return sum;
    },
    add(slot, amount) {
      const index = slot % slotCount;
      if (slot > (slots[index] as number)) {
        slots[index] = slot;
        amounts[index] = 0;
      }
      if (slots[index] === slot) amounts[index] = Math.max(0, (amounts[index] as number) + amount);
    },
    freeAt(slot, amount) {
      const order = [...slots.keys()].filter((index) => counts(index, slot));
      order.sort((a, b) => (slots[a] as number) - (slots[b] as number));
      let freed = 0;
      for (const index of order) {
        freed += amounts[index] as number;
        if (freed >= amount) return ((slots[index] as number) + slotCount) * slotMs;
      }
      return (slot + slotCount) * slotMs;
    },
  };
}
