// Makes the secrets of a compose project in a folder, if they are not there: the signing key of the mesh, an API key, the password of the
// database. Plain JavaScript without packages, so that any Node runs it.
//
//   node secrets.mjs <folder>
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2] ?? '/secrets';
const file = join(folder, 'ragmesh.env');

if (existsSync(file)) {
  process.stdout.write(`${folder} has its secrets\n`);
} else {
  const random = () => randomBytes(24).toString('base64url');
  const [apiKey, password] = [`rm_${random()}`, random()];
  const pem = { format: 'pem' };
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', ...pem },
    publicKeyEncoding: { type: 'spki', ...pem },
  });
  const quoted = (text) => JSON.stringify(text.trim());
  const lines = [
    `RAGMESH_PRIVATE_KEY=${quoted(privateKey)}`,
    `RAGMESH_PUBLIC_KEY=${quoted(publicKey)}`,
    `RAGMESH_API_KEY=${apiKey}`,
    `RAGMESH_API_KEY_SHA256=${createHash('sha256').update(apiKey).digest('hex')}`,
    `RAGMESH_DATABASE=postgres://ragmesh:${password}@postgres:5432/ragmesh`,
    'RAGMESH_REDIS=redis://redis:6379',
  ];
  writeFileSync(join(folder, 'api-key'), apiKey);
  // The database reads it as another user; the folder is a volume of this project.
  writeFileSync(join(folder, 'database-password'), password, { mode: 0o644 });
  // Last and atomically, so that an interrupted start makes all of them again.
  writeFileSync(`${file}.part`, `${lines.join('\n')}\n`, { mode: 0o600 });
  renameSync(`${file}.part`, file);
  process.stdout.write(`made the secrets in ${folder}\n`);
}
