import { parseArgs } from 'node:util';
import { create } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { createTokenSigner, loadIdentityKeys } from '#kit/rpc/identity.ts';
import { type CommandContext, CommandError } from './connect.ts';

const help = `npm run token -- [--tenant demo] [--user me] [--group g]… [--role reader]… [--minutes 10]

Prints a token for calls to the gRPC port (50051), made with the key of the data folder: for grpcurl and for services of
your own inside the mesh.
`;

/** `npm run token`. */
export async function token(context: CommandContext): Promise<number> {
  const { values } = parseArgs({
    args: context.args,
    options: {
      tenant: { type: 'string', default: 'demo' },
      user: { type: 'string', default: 'me' },
      group: { type: 'string', multiple: true, default: [] },
      role: { type: 'string', multiple: true, default: ['reader'] },
      minutes: { type: 'string', default: '10' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 24 * 60)) throw new CommandError('--minutes must be from 1 to 1440');
  const { privateKey } = loadIdentityKeys(context.config.identity, context.config.dataDir);
  if (privateKey === undefined)
    throw new CommandError(
      'this configuration has only a public key (identity.public_key): tokens are made where the private one is',
    );
  const roles = values.role.map(parseRole);
  const principal = create(PrincipalSchema, { tenant: values.tenant, user: values.user, groups: values.group, roles });
  const signer = createTokenSigner(privateKey, Date.now, minutes * 60_000);
  process.stdout.write(`${await signer.sign(principal)}\n`);
  return 0;
}

function parseRole(name: string): Role {
  const role = (Role as Record<string, Role>)[name.toUpperCase()];
  if (role === undefined || role === Role.UNSPECIFIED) {
    const names = Object.keys(Role)
      .slice(1)
      .map((known) => known.toLowerCase());
    throw new CommandError(`no role "${name}"; roles are ${names.join(', ')}`);
  }
  return role;
}
