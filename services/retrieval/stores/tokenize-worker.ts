import { serveCalls, yieldToOthers } from '#kit/base/worker-rpc.ts';
import { toTokens } from './tokenizer.ts';

// The worker thread of tokenizer.ts.

yieldToOthers();
serveCalls((texts: readonly string[]) => texts.map(toTokens));
