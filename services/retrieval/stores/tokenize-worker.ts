import { serveCalls } from '#kit/base/worker-rpc.ts';
import { toTokens } from './tokenizer.ts';

// The thread behind tokenizer.ts.

serveCalls((texts: readonly string[]) => texts.map(toTokens));
