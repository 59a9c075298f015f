import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { AnswerStoreDeps } from '../../answers/answer-store.ts';
import { createMemoryStore } from '../../answers/memory-store.ts';

/** Answers in the memory of the process. */
export const adapter = defineAdapter({
  settings: {},
  create: (_settings, deps: AnswerStoreDeps) => createMemoryStore(deps),
});
