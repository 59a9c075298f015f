import { answerStoreSuite } from '../../answer-store.suite.ts';
import { adapter } from './memory.ts';

answerStoreSuite('memory', async (maxBytes) => {
  let nowMs = 1_000_000;
  const openDatabase = () => Promise.reject(new Error('memory opens no database'));
  const store = await adapter.create({}, { maxBytes, clock: () => nowMs, openDatabase });
  return {
    store,
    advance: (ms) => {
      nowMs += ms;
    },
    now: () => nowMs,
    close: () => store.close(),
  };
});
