import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type ApiKey, ApiKeyKind, ApiKeySchema, ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { Role, RoleSchema } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { unknownName } from '#kit/base/config-error.ts';
import { enumName } from '#kit/base/enums.ts';
import { roleName } from '#kit/rpc/policy.ts';
import { CommandError, printJson } from '../command.ts';
import type { MeshConnection } from '../connect.ts';
import { printMessage, printTable, timeText } from './print.ts';

/** What the actions read of the command line. */
export interface KeyFlags {
  user: string;
  role: string[];
  group: string[];
  model: string[];
  corpus: string[];
  address: string[];
  'expires-days'?: string | undefined;
  tenant: string;
  reason: string;
  overlap: string;
  json: boolean;
}

/** Prints the keys of a tenant. */
export async function listKeys(mesh: MeshConnection, { tenant, json }: KeyFlags): Promise<void> {
  const rows = [['id', 'name', 'user', 'roles', 'state', 'last use', 'secrets']];
  for (let pageToken = ''; ; ) {
    const page = await mesh.client(ApiKeyService).listApiKeys({ tenant, pageSize: 200, pageToken });
    for (const key of page.keys) {
      if (json) printMessage(ApiKeySchema, key);
      else rows.push(rowOf(key));
    }
    pageToken = page.nextPageToken;
    if (pageToken === '') break;
  }
  if (!json) printTable(rows);
}

function rowOf({ id, name, user, roles, secrets, revokedAt, expiresAt, breakGlassReason }: ApiKey): string[] {
  const lastUses = secrets.map(({ lastUsedAt }) => timeText(lastUsedAt)).toSorted();
  const state = revokedAt ? `revoked ${timeText(revokedAt)}` : expiresAt ? `until ${timeText(expiresAt)}` : 'valid';
  const kind = breakGlassReason === '' ? '' : ' (break-glass)';
  const lastUse = lastUses.filter((time) => time !== '-').at(-1) ?? '-';
  return [id, `${name}${kind}`, user, roles.map(roleName).join(','), state, lastUse, String(secrets.length)];
}

/** Makes a key, and prints its secret. */
export async function createKey(mesh: MeshConnection, flags: KeyFlags, name: string): Promise<void> {
  const { user, group: groups, model: models, corpus: corpora, address: addresses, tenant, reason } = flags;
  const days = flags['expires-days'];
  if (days !== undefined && !(Number(days) > 0)) throw new CommandError('--expires-days must be a number above 0');
  const { key, secret } = await mesh.client(ApiKeyService).createApiKey({
    kind: user === '' ? ApiKeyKind.SERVICE_ACCOUNT : ApiKeyKind.USER,
    roles: flags.role.length === 0 ? [Role.READER] : flags.role.map(parseRole),
    ...{ name, user, groups, models, corpora, addresses, tenant, reason },
    ...(days !== undefined && { expiresAt: timestampFromMs(Math.floor(Date.now() + Number(days) * 86_400_000)) }),
  });
  printSecret(key, secret, flags);
}

/** Makes a new secret of a key, and prints it. */
export async function rotateKey(mesh: MeshConnection, flags: KeyFlags, id: string): Promise<void> {
  const overlapSeconds = Number(flags.overlap);
  if (!Number.isInteger(overlapSeconds) || overlapSeconds < 0 || overlapSeconds > 2_592_000) {
    throw new CommandError('--overlap must be a number of seconds, 0 to 2592000');
  }
  const { key, secret } = await mesh.client(ApiKeyService).rotateApiKey({ id, overlapSeconds, tenant: flags.tenant });
  printSecret(key, secret, flags);
}

/** Ends a key. */
export async function revokeKey(mesh: MeshConnection, { tenant, json }: KeyFlags, id: string): Promise<void> {
  const { key } = await mesh.client(ApiKeyService).revokeApiKey({ id, tenant });
  if (json && key) printMessage(ApiKeySchema, key);
  else process.stdout.write(`revoked ${id}: every edge refuses it within seconds\n`);
}

function printSecret(key: ApiKey | undefined, secret: string, { json }: KeyFlags): void {
  if (json) printJson({ id: key?.id, secret });
  else process.stdout.write(`${key?.id}\n${secret}\n\nThe second line is the secret. It is not shown again.\n`);
}

function parseRole(text: string): Role {
  const value = RoleSchema.values.find(({ number }) => roleName(number as Role) === text.toLowerCase())?.number;
  if (value !== undefined && value !== Role.UNSPECIFIED && value !== Role.SERVICE) return value as Role;
  const names = RoleSchema.values.map(({ number }) => enumName(RoleSchema, number).toLowerCase());
  throw new CommandError(`--role: ${unknownName('role', text, names)}`);
}
