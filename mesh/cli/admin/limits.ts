import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  LimitService,
  type LimitTarget,
  type SpendLimit,
  SpendLimitSchema,
  type StoredLimit,
  StoredLimitSchema,
} from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { CommandError } from '../command.ts';
import type { MeshConnection } from '../connect.ts';
import { printMessage, printTable, timeText } from './print.ts';

/** What the actions read of the command line. */
export interface LimitFlags {
  'requests-per-minute'?: string | undefined;
  'tokens-per-minute'?: string | undefined;
  'cost-per-day'?: string | undefined;
  'cost-per-month'?: string | undefined;
  'max-concurrent'?: string | undefined;
  'max-completion-tokens'?: string | undefined;
  'member-key': string[];
  'member-user': string[];
  'expires-days'?: string | undefined;
  tenant: string;
  reason: string;
  json: boolean;
}

/** The amounts of a limit: flag, field, and how many of the field are one of the flag. */
const amounts = [
  ['requests-per-minute', 'requestsPerMinute', 1],
  ['tokens-per-minute', 'tokensPerMinute', 1],
  ['cost-per-day', 'costMicrosPerDay', 1_000_000],
  ['cost-per-month', 'costMicrosPerMonth', 1_000_000],
  ['max-concurrent', 'maxConcurrent', 1],
  ['max-completion-tokens', 'maxCompletionTokens', 1],
] as const;

/** Prints the stored limits and raises of a tenant. */
export async function listLimits(mesh: MeshConnection, { tenant, json }: LimitFlags): Promise<void> {
  const rows = [['of', 'limit', 'raise', 'until', 'changed']];
  for await (const stored of storedLimits(mesh, tenant)) {
    const { target, limit, raise, updatedAt } = stored;
    if (json) printMessage(StoredLimitSchema, stored);
    else {
      rows.push([nameOf(target), textOf(limit), textOf(raise?.limit), timeText(raise?.until), timeText(updatedAt)]);
    }
  }
  if (!json) printTable(rows);
}

/** Stores a limit. The members of a cost centre stay if none are given. */
export async function setLimit(mesh: MeshConnection, flags: LimitFlags, name: string): Promise<void> {
  const target = parseTarget(name, flags);
  const limit = parseLimit(flags);
  const before = await findLimit(mesh, target);
  const given = { keys: flags['member-key'], users: flags['member-user'] };
  const { keys, users } = given.keys.length + given.users.length > 0 ? given : (before ?? given);
  const expectedEtag = before?.etag ?? '0';
  const { stored } = await mesh.client(LimitService).putLimit({ target, limit, keys, users, expectedEtag });
  print(stored, flags, `the limit of ${name} is ${textOf(stored?.limit)}`);
}

/** Removes a stored limit. */
export async function removeLimit(mesh: MeshConnection, flags: LimitFlags, name: string): Promise<void> {
  await mesh.client(LimitService).removeLimit({ target: parseTarget(name, flags) });
  print(undefined, flags, `the limit of ${name} is that of the configuration`);
}

/** Puts another limit in the place of one until a time. */
export async function raiseLimit(mesh: MeshConnection, flags: LimitFlags, name: string): Promise<void> {
  const days = Number(flags['expires-days']);
  if (!(days > 0)) throw new CommandError('"limits raise" needs --expires-days, a number above 0');
  const until = timestampFromMs(Math.floor(Date.now() + days * 86_400_000));
  const request = { target: parseTarget(name, flags), limit: parseLimit(flags), until, reason: flags.reason };
  const { stored } = await mesh.client(LimitService).raiseLimit(request);
  print(stored, flags, `the limit of ${name} is ${textOf(stored?.raise?.limit)} until ${timeText(until)}`);
}

/** Ends a raise now. */
export async function endRaise(mesh: MeshConnection, flags: LimitFlags, name: string): Promise<void> {
  await mesh.client(LimitService).endRaise({ target: parseTarget(name, flags) });
  print(undefined, flags, `the raise of ${name} has ended`);
}

async function* storedLimits(mesh: MeshConnection, tenant: string): AsyncGenerator<StoredLimit> {
  for (let pageToken = ''; ; ) {
    const page = await mesh.client(LimitService).listStoredLimits({ tenant, pageSize: 500, pageToken });
    yield* page.limits;
    pageToken = page.nextPageToken;
    if (pageToken === '') return;
  }
}

type Target = Pick<LimitTarget, 'tenant' | 'layer' | 'name'>;

async function findLimit(mesh: MeshConnection, { tenant, layer, name }: Target): Promise<StoredLimit | undefined> {
  for await (const stored of storedLimits(mesh, tenant)) {
    if (stored.target?.layer === layer && stored.target.name === name) return stored;
  }
  return undefined;
}

/** Reads "user:ann"; names of models may have colons themselves. */
function parseTarget(text: string, { tenant }: LimitFlags): Target {
  const [, layer = '', name = ''] = /^(tenant|cost_centre|key|user|model)(?::(.+))?$/.exec(text) ?? [];
  if (layer === '' || (layer !== 'tenant') !== (name !== '')) {
    throw new CommandError(
      `"${text}" names no limit: write "tenant", or cost_centre, key, user or model, ":" and a name`,
    );
  }
  return { tenant, layer, name };
}

function parseLimit(flags: LimitFlags): MessageInitShape<typeof SpendLimitSchema> {
  const limit = create(SpendLimitSchema);
  for (const [flag, field, unit] of amounts) {
    const text = flags[flag];
    if (text === undefined) continue;
    const isMoney = unit > 1;
    if (!(isMoney ? /^\d{1,9}(\.\d{1,6})?$/ : /^\d{1,15}$/).test(text)) {
      throw new CommandError(`--${flag} must be ${isMoney ? 'an amount such as 12.50' : 'a whole number'}`);
    }
    const count = Math.round(Number(text) * unit);
    if (field === 'maxConcurrent' || field === 'maxCompletionTokens') limit[field] = count;
    else limit[field] = BigInt(count);
  }
  if (amounts.every(([flag]) => flags[flag] === undefined)) {
    throw new CommandError(`an amount is missing: ${amounts.map(([flag]) => `--${flag}`).join(', ')}`);
  }
  return limit;
}

function nameOf(target: LimitTarget | undefined): string {
  return target?.name ? `${target.layer}:${target.name}` : (target?.layer ?? '');
}

/** Returns the amounts in the words of the flags; "-" for none. */
function textOf(limit: SpendLimit | undefined): string {
  const parts = amounts.flatMap(([flag, field, unit]) => {
    const value = limit?.[field];
    return value === undefined ? [] : [`${flag} ${Number(value) / unit}`];
  });
  return parts.join(', ') || '-';
}

function print(stored: StoredLimit | undefined, { json }: LimitFlags, text: string): void {
  if (!json) process.stdout.write(`${text}\n`);
  else if (stored) printMessage(StoredLimitSchema, stored);
}
