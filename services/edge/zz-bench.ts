import { fork } from 'node:child_process';
import http2 from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';

const msg = toBinary(AskRequestSchema, create(AskRequestSchema, { question: 'How long may I send things back?' }));
const body = Buffer.concat([Buffer.from([0, 0, 0, 0, msg.length]), msg]);
async function start(kind: string, prof?: string) {
  const child = fork(new URL('./zz-bench-server.ts', import.meta.url), prof ? [kind, prof] : [kind]);
  const info = await new Promise<any>((r) => child.once('message', r));
  return { child, ...info };
}
const cpu = async (c: any) => {
  c.send('cpu');
  const m = await new Promise<any>((r) => c.once('message', r));
  return m.cpu.user + m.cpu.system;
};
async function run({ port, auth, child }: any, callers: number, ms: number) {
  const c0 = await cpu(child);
  const sessions = Array.from({ length: 4 }, () => http2.connect(`http://127.0.0.1:${port}`));
  let done = 0,
    bytes = 0,
    stop = false;
  const lat: number[] = [];
  const one = (s: http2.ClientHttp2Session) =>
    new Promise<void>((resolve, reject) => {
      const st = s.request({
        ':method': 'POST',
        ':path': '/ragmesh.chat.v1.ChatService/Ask',
        'content-type': 'application/connect+proto',
        'connect-protocol-version': '1',
        authorization: auth,
      });
      st.on('response', (h) => {
        if (h[':status'] !== 200) reject(new Error('status ' + h[':status']));
      });
      st.on('data', (c) => {
        bytes += c.length;
      });
      st.on('end', resolve);
      st.on('error', reject);
      st.end(body);
    });
  const t0 = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, i) => {
      while (!stop) {
        const t = performance.now();
        await one(sessions[i % 4]!);
        lat.push(performance.now() - t);
        done++;
        if (performance.now() - t0 > ms) stop = true;
      }
    }),
  );
  const s = (performance.now() - t0) / 1000;
  for (const x of sessions) x.close();
  const us = ((await cpu(child)) - c0) / done;
  lat.sort((a, b) => a - b);
  return {
    us,
    rate: done / s,
    bytes: bytes / done,
    p50: lat[lat.length >> 1],
    p99: lat[Math.floor(lat.length * 0.99)],
  };
}
const bare = await start('bare'),
  edge = await start('edge', process.argv[2]);
await run(bare, 64, 1500);
await run(edge, 64, 1500);
if (process.argv[2]) edge.child.send('start');
const bs: any[] = [],
  es: any[] = [];
for (let i = 0; i < 30; i++) {
  bs.push(await run(bare, 64, 400));
  es.push(await run(edge, 64, 400));
}
const best = (x: any[]) => ({
  rate: Math.max(...x.map((y) => y.rate)),
  us: Math.min(...x.map((y) => y.us)),
  med: x.map((y) => y.rate).sort((a, b) => a - b)[15],
});
const B = best(bs),
  E = best(es);
console.log(
  'bare best',
  B.rate.toFixed(0),
  'med',
  B.med.toFixed(0),
  B.us.toFixed(0) + 'us',
  '| edge best',
  E.rate.toFixed(0),
  'med',
  E.med.toFixed(0),
  E.us.toFixed(0) + 'us',
  '| ratio best',
  (E.rate / B.rate).toFixed(3),
  'med',
  (E.med / B.med).toFixed(3),
  'cpu',
  (B.us / E.us).toFixed(3),
);
if (process.argv[2]) {
  edge.child.send('stop');
  await new Promise((r) => edge.child.once('message', r));
}
bare.child.kill();
edge.child.kill('SIGKILL');
