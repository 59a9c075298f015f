import { benchMounts } from './mounts.ts';
console.log((await benchMounts()).map((r) => r.value.toFixed(3) + ' ' + r.measured).join('\n'));
