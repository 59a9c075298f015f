import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
const se = new Session(); se.connect(); await se.post('Profiler.enable');
process.on('message', async (x) => {
  if (x === 'start') await se.post('Profiler.start');
  if (x === 'stop') { const { profile } = await se.post('Profiler.stop'); writeFileSync('/tmp/eb/real.json', JSON.stringify(profile)); process.send!({ done: 1 }); }
  if (x === 'cpu') process.send!({ cpu: process.cpuUsage() });
});
await import('../../mesh/bench/answer-servers.ts');
