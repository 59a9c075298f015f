import { fork } from 'node:child_process';
import http2 from 'node:http2';
import { create, toBinary, fromBinary } from '@bufbuild/protobuf';
import { AskRequestSchema, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ServerStreamRequestSchema } from '#gen/ragmesh/echo/v1/echo_pb.ts';
const child = fork(new URL('./zz-real-server.ts', import.meta.url), [], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
const ready = await new Promise<any>((r) => child.once('message', r));
const cpu = async () => { child.send('cpu'); const m = await new Promise<any>((r) => child.once('message', r)); return m.cpu.user + m.cpu.system; };
const env = (m: Uint8Array) => Buffer.concat([Buffer.from([0, 0, 0, m.length >> 8, m.length & 255]), m]);
async function run(url: string, path: string, body: Buffer, callers: number, ms: number) {
  const c0 = await cpu();
  const sessions = Array.from({ length: 4 }, () => http2.connect(url));
  let done = 0, bytes = 0, stop = false; let last: Buffer[] = [];
  const one = (s: http2.ClientHttp2Session) => new Promise<void>((resolve, reject) => {
    const st = s.request({ ':method': 'POST', ':path': path, 'content-type': 'application/connect+proto', authorization: `Bearer ${ready.key}` });
    const mine: Buffer[] = [];
    st.on('data', (c) => { bytes += c.length; mine.push(c); }); st.on('end', () => { last = mine; resolve(); }); st.on('error', reject); st.end(body);
  });
  const t0 = performance.now();
  await Promise.all(Array.from({ length: callers }, async (_, i) => { while (!stop) { await one(sessions[i % 4]!); done++; if (performance.now() - t0 > ms) stop = true; } }));
  const s = (performance.now() - t0) / 1000; for (const x of sessions) x.close();
  const all = Buffer.concat(last); let n = 0; for (let o = 0; o < all.length; n++) { const l = all.readUInt32BE(o + 1); if (process.argv[2] === 'show' && ms < 200) console.log(all[o], l, all[o] === 0 && path.includes('Ask') ? fromBinary(AskResponseSchema, all.subarray(o + 5, o + 5 + l)).event.case : ''); o += 5 + l; }
  return { rate: done / s, us: (await cpu() - c0) / done, bytes: bytes / done, n };
}
const ask = env(toBinary(AskRequestSchema, create(AskRequestSchema, { question: ready.questions[0] })));
const A = '/ragmesh.chat.v1.ChatService/Ask', B = '/ragmesh.echo.v1.EchoService/ServerStream';
const w = await run(ready.edgeUrl, A, ask, 1, 100); await run(ready.edgeUrl, A, ask, 64, 1500);
const bareReq = env(toBinary(ServerStreamRequestSchema, create(ServerStreamRequestSchema, { text: 'x'.repeat(Math.round(w.bytes / w.n)), count: w.n - 1 })));
await run(ready.bareUrl, B, bareReq, 64, 1000);
const bs: any[] = [], es: any[] = [];
for (let i = 0; i < 8; i++) { bs.push(await run(ready.bareUrl, B, bareReq, 64, 500)); es.push(await run(ready.edgeUrl, A, ask, 64, 500)); }
const best = (x: any[]) => ({ rate: Math.max(...x.map((y) => y.rate)), us: Math.min(...x.map((y) => y.us)), n: x[0].n, bytes: x[0].bytes });
console.log(best(bs), best(es), best(bs).us / best(es).us, best(es).rate / best(bs).rate);
child.send('start'); await new Promise((r) => setTimeout(r, 100)); await run(ready.edgeUrl, A, ask, 64, 4000); child.send('stop'); 
await new Promise<any>((r) => child.on('message', (m: any) => m.done && r(0)));
child.kill(); process.exit(0);
