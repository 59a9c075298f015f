import { type Command, CommandError } from '../command.ts';
import { connectMesh } from '../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../flags.ts';
import { createKey, listKeys, revokeKey, rotateKey } from './keys.ts';
import { endRaise, listLimits, raiseLimit, removeLimit, setLimit } from './limits.ts';
import { listChanges, listTenants, putTenant } from './tenants.ts';
import { printUsage, reconcile } from './usage.ts';

const help = `npm run admin -- <action> [options]

  keys list                    the API keys of the tenant, with their last use
  keys create <name>           makes a key and prints its secret, once; a service account, or with --user a user's key
  keys rotate <id>             makes a new secret; --overlap <seconds> keeps the earlier ones valid for so long
  keys revoke <id>             ends a key
  tenants list                 the stored tenants
  tenants put <tenant>         stores a tenant: --display-name, --disabled
  limits list                  stored limits of the LLM gateway and raises of them
  limits set <of>              stores a limit in place of the configured one; <of>: tenant, or cost_centre:, key:, user: or model:<name>
  limits raise <of>            another limit for --expires-days, with --reason
  limits end <of>              ends a raise
  limits remove <of>           removes a stored limit: the configured one applies again
  usage                        tokens and money by day, model and user (role auditor); --from, --before <day>, --focus: CSV of FOCUS 1.0
  reconcile <file>             compares the money of the ledger with a provider's export (role auditor): CSV with the columns date, model and
                               cost (names by --columns), --from, --before, --tolerance <percent>; exits with 3 if they differ by more
  changes                      what administrators have changed, from the audit, the latest first (role auditor)

Options of keys create:

  --user <name>        user of the calls
  --role <name>        may be given more than once; default: reader
  --group <name>       may be given more than once
  --model <name>       model or route that it may name (may be given more than once); default: all
  --corpus <name>      corpus that exists for it (may be given more than once); default: all
  --address <cidr>     address or network from which it may be used (may be given more than once); default: all
  --expires-days <n>   days until it ends, also a fraction; default: never
  --tenant <name>      another tenant: break-glass access, with --reason and --expires-days of at most 1
  --reason <text>      why break-glass access is needed

Options of limits set and limits raise; what is not given is not limited:

  --requests-per-minute <n>, --tokens-per-minute <n>, --max-concurrent <n>, --max-completion-tokens <n>
  --cost-per-day <amount>, --cost-per-month <amount>   in the currency of the price table: 12.50
  --member-key <id>, --member-user <name>   of a cost centre; may be given more than once; default: as before

${connectionHelp}`;

/** The flags of all actions. */
export const adminFlags = {
  user: { type: 'string', default: '' },
  role: { type: 'string', multiple: true, default: [] as string[] },
  group: { type: 'string', multiple: true, default: [] as string[] },
  model: { type: 'string', multiple: true, default: [] as string[] },
  corpus: { type: 'string', multiple: true, default: [] as string[] },
  address: { type: 'string', multiple: true, default: [] as string[] },
  'expires-days': { type: 'string' },
  tenant: { type: 'string', default: '' },
  reason: { type: 'string', default: '' },
  overlap: { type: 'string', default: '0' },
  from: { type: 'string', default: '' },
  before: { type: 'string', default: '' },
  focus: { type: 'boolean', default: false },
  tolerance: { type: 'string', default: '0.1' },
  columns: { type: 'string', default: 'date,model,cost' },
  'requests-per-minute': { type: 'string' },
  'tokens-per-minute': { type: 'string' },
  'cost-per-day': { type: 'string' },
  'cost-per-month': { type: 'string' },
  'max-concurrent': { type: 'string' },
  'max-completion-tokens': { type: 'string' },
  'member-key': { type: 'string', multiple: true, default: [] as string[] },
  'member-user': { type: 'string', multiple: true, default: [] as string[] },
  'display-name': { type: 'string', default: '' },
  disabled: { type: 'boolean', default: false },
  ...connectionFlags,
} as const;

const actions = {
  'keys list': listKeys,
  'keys create': createKey,
  'keys rotate': rotateKey,
  'keys revoke': revokeKey,
  'tenants list': listTenants,
  'tenants put': putTenant,
  'limits list': listLimits,
  'limits set': setLimit,
  'limits raise': raiseLimit,
  'limits end': endRaise,
  'limits remove': removeLimit,
  usage: printUsage,
  reconcile,
  changes: listChanges,
} as const;

/** Runs `npm run admin`. */
export const admin: Command = async (context) => {
  const { values, positionals } = parseFlags({ args: context.args, allowPositionals: true, options: adminFlags });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const wordCount = ['changes', 'usage', 'reconcile'].includes(positionals[0] ?? '') ? 1 : 2;
  const name = positionals.slice(0, wordCount).join(' ');
  if (!Object.hasOwn(actions, name)) {
    throw new CommandError(`"${name}" is no action; there are: ${Object.keys(actions).join(', ')}`);
  }
  const rest = positionals.slice(wordCount);
  const takesSubject = !(name === 'changes' || name === 'usage' || name.endsWith(' list'));
  if (takesSubject !== (rest.length === 1)) {
    const count = takesSubject ? 'exactly one name or id' : 'nothing';
    throw new CommandError(`"${name}" takes ${count} after it; see --help`);
  }
  await using mesh = await connectMesh(context, values);
  return (await actions[name as keyof typeof actions](mesh, values, rest[0] ?? '')) ?? 0;
};
