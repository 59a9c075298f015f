import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { readSealed, sealFor } from '#kit/storage/encryption/sealed-file.ts';
import { createOnce } from '#kit/storage/files/create-once.ts';
import { hashKey, type KeyEntry } from './api-keys.ts';

/** Keys for trying ragmesh out on one's own machine. */
export interface DevKeys {
  /** Key of `dev`: staff of the tenant "demo", who may do everything. */
  dev: string;
  /** Key of `customer`: of the same tenant, in no group, who may only ask. */
  customer: string;
}

/** The file with the keys, in the edge's data folder. */
export const devKeysFile = 'dev-keys.json';

/**
 * The development keys in `folder`, made at the first call and then always the same. The file can be read by its owner
 * only. Throws if the file holds something else.
 */
export function readOrMakeDevKeys(folder: string): DevKeys {
  const path = join(folder, devKeysFile);
  return readDevKeys(path) ?? makeDevKeys(folder, path);
}

function readDevKeys(path: string): DevKeys | undefined {
  let text: string;
  try {
    text = readSealed(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  chmodSync(path, 0o600);
  const keys = parse(text);
  if (typeof keys?.dev === 'string' && typeof keys.customer === 'string') {
    return { dev: keys.dev, customer: keys.customer };
  }
  throw new Error(`${path} holds no development keys: delete it, and new ones are made`);
}

function parse(text: string): Partial<DevKeys> | null {
  try {
    return JSON.parse(text) as Partial<DevKeys> | null;
  } catch {
    return null;
  }
}

function makeDevKeys(folder: string, path: string): DevKeys {
  const makeKey = () => `rm_dev_${randomBytes(32).toString('base64url')}`;
  mkdirSync(folder, { recursive: true });
  const text = `${JSON.stringify({ dev: makeKey(), customer: makeKey() }, null, 2)}\n`;
  createOnce(path, sealFor(path, text));
  const keys = readDevKeys(path);
  if (keys === undefined) throw new Error(`${path} vanished while it was made`);
  return keys;
}

/** The development keys as the authenticator takes them. */
export function devKeyEntries(keys: DevKeys): KeyEntry[] {
  const tenant = 'demo';
  return [
    {
      id: 'dev',
      sha256: hashKey(keys.dev),
      principal: {
        tenant,
        user: 'dev',
        groups: ['staff', 'merchant'],
        roles: [
          ...[Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR, Role.MODEL_USER],
          ...[Role.ADMINISTRATOR, Role.PLATFORM_ADMINISTRATOR],
        ],
      },
    },
    {
      id: 'customer',
      sha256: hashKey(keys.customer),
      principal: { tenant, user: 'customer', groups: [], roles: [Role.READER] },
    },
  ];
}
