import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { audit } from '../index.ts';
import { recordOf } from './audit.ts';

// Records answers and usage as fast as it can and prints the id of each that was acknowledged, until it is killed. For a test.
// Arguments: the data folder, the URL of the database if there is one, and what its ids begin with.

const [dataDir = '', database = '', prefix = ''] = process.argv.slice(2);
const mesh = await startTestMesh([audit], { dataDir, config: database === '' ? {} : { storage: { database } } });
const client = mesh.client(AuditService);
const options = await mesh.as();
let count = 0;
const writeOn = async (): Promise<never> => {
  for (;;) {
    const answerId = `${prefix}answer-${++count}`;
    const requestId = `${prefix}request-${count}`;
    await client.record(recordOf(answerId), options);
    process.stdout.write(`${answerId}\n`);
    await client.recordUsage({ requestId, usages: [{ model: 'gpt', usage: { promptTokens: 1n } }] }, options);
    process.stdout.write(`${requestId}\n`);
  }
};
await Promise.all(Array.from({ length: 16 }, writeOn));
