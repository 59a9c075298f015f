import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Loads undici: 109 files, which a process needs only when it calls a provider. */
export const undici = () => require('undici') as typeof import('undici');
