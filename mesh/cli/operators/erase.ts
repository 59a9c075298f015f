import type { Erasure } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { connectMesh } from '../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../flags.ts';

const help = `npm run erase -- user <user> | document <corpus> <id> | show <erasure> | export <user>
                | hold <user> <reason> | release <user> | holds

Erases what the mesh stores of a user, or a document with the answers from it, and prints what was found in each store. A repeated call finds
nothing. "export" prints what is stored of a user, as JSON lines. "hold" keeps what is stored of a user ("" for all of the tenant) until
"release". Needs the role operator; "export" needs auditor.

${connectionHelp}`;

/** Runs `npm run erase`. */
export async function erase(context: CommandContext): Promise<number> {
  const { values, positionals } = parseFlags({
    args: context.args,
    allowPositionals: true,
    options: connectionFlags,
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [action = '', first, second] = positionals;
  const need = (value: string | undefined, name: string): string => {
    if (value === undefined) throw new CommandError(`erase ${action}: ${name} is missing`);
    return value;
  };
  await using mesh = await connectMesh(context, values);
  const client = mesh.client(PrivacyService);
  const print = (erasure: Erasure | undefined) => printErasure(erasure, values.json === true);
  switch (action) {
    case 'user':
      print((await client.eraseUser({ user: need(first, 'the user') })).erasure);
      return 0;
    case 'document': {
      const document = { corpus: need(first, 'the corpus'), documentId: need(second, 'the id') };
      print((await client.eraseDocument(document)).erasure);
      return 0;
    }
    case 'show':
      print((await client.getErasure({ erasureId: need(first, 'the erasure') })).erasure);
      return 0;
    case 'export':
      for await (const { json } of client.exportUser({ user: need(first, 'the user') }))
        process.stdout.write(`${json}\n`);
      return 0;
    case 'hold':
      await client.putLegalHold({ user: need(first, 'the user'), reason: need(second, 'the reason') });
      return 0;
    case 'release':
      await client.releaseLegalHold({ user: need(first, 'the user') });
      return 0;
    case 'holds':
      for (const { user, reason, setBy } of (await client.listLegalHolds({})).holds) printJson({ user, reason, setBy });
      return 0;
    default:
      throw new CommandError(`erase does not know "${action}": see npm run erase -- --help`);
  }
}

function printErasure(erasure: Erasure | undefined, isJson: boolean): void {
  if (erasure === undefined) return;
  const { erasureId, stores, finishedAt } = erasure;
  const rows = stores.map(({ store, foundCount, leftCount }) => ({
    store,
    found: Number(foundCount),
    left: Number(leftCount),
  }));
  if (isJson) {
    printJson({ erasureId, isFinished: finishedAt !== undefined, stores: rows });
    return;
  }
  process.stdout.write(`erasure ${erasureId}${finishedAt === undefined ? ', not finished' : ''}\n`);
  for (const { store, found, left } of rows) {
    process.stdout.write(`  ${store.padEnd(24)} found ${found}${left > 0 ? `, left ${left}` : ''}\n`);
  }
}
