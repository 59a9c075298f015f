import { expect, test } from 'vitest';
import { comparableText, holdsWording } from './wording.ts';

test.each([
  ['within 15 days [1]', '15 days', true],
  ['within 15 days', '5 days', false],
  ['costs 100 coins', '10', false],
  ['CNY 2,499 for the projector', 'CNY 2499', true],
  ['退貨運費 12 元。[2]', '12元', true],
  ['weighs 1.35 kg', '35 kg', false],
])('%j has %j: %s', (text, wording, isHeld) => {
  expect(holdsWording(comparableText(text), comparableText(wording))).toBe(isHeld);
});
