import { readFileSync } from 'node:fs';

/** Intents of Bitext that are acts of a conversation; the others are questions. */
const bitextActs: Readonly<Record<string, string>> = {
  complaint: 'complaint',
  contact_human_agent: 'handover',
  track_order: 'order_status',
  track_refund: 'order_status',
};

/** Reads a set of {text, intent}, with the act that each message is. */
export function readPublicSet(file: string): { act: string; text: string }[] {
  const rows = JSON.parse(readFileSync(file, 'utf8')) as { text: string; intent: string }[];
  return rows.map(({ text, intent }) => ({ text, act: bitextActs[intent] ?? 'question' }));
}
