import { answerStoreSuite } from '../../suites/answer-store.suite.ts';
import { storeDeps } from '../../testing/cache.ts';
import { adapter } from './memory.ts';

answerStoreSuite('memory', async (maxBytes) => {
  let nowMs = 1_000_000;
  const store = await adapter.create({}, storeDeps({ maxBytes, clock: () => nowMs }));
  return {
    store,
    advance: (ms) => {
      nowMs += ms;
    },
    now: () => nowMs,
    close: () => store.close(),
  };
});
