import { describe, expect, test } from 'vitest';
import { startAnswer } from './ask.ts';
import { emptyConversation, isBusy, updateConversation } from './conversation.ts';

const first = startAnswer('k1', 'one', '', 0);

describe('a conversation', () => {
  test('is busy until its last answer has ended', () => {
    const asked = updateConversation(emptyConversation, { kind: 'asked', answer: first });
    expect(isBusy(asked)).toBe(true);
    const stopped = updateConversation(asked, { kind: 'updated', key: 'k1', updates: [{ kind: 'stopped', atMs: 1 }] });
    expect(isBusy(stopped)).toBe(false);
  });

  test('ignores an answer that another session has replaced', () => {
    const opened = updateConversation(emptyConversation, { kind: 'opened', sessionId: 's2', answers: [] });
    expect(updateConversation(opened, { kind: 'updated', key: 'k1', updates: [{ kind: 'stopped', atMs: 1 }] })).toBe(
      opened,
    );
  });

  test('drops a failed answer before its question is asked again', () => {
    const asked = updateConversation(emptyConversation, { kind: 'asked', answer: first });
    expect(updateConversation(asked, { kind: 'dropped', key: 'k1' }).answers).toEqual([]);
  });
});
