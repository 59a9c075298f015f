import { createHash, type KeyObject } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { createTokenSigner, loadIdentityKeys } from '#kit/rpc/identity.ts';
import { type CommandContext, CommandError, printJson } from './command.ts';
import { commonFlags, localHelp, parseFlags } from './flags.ts';

const help = `npm run token -- [--tenant demo] [--user me] [--group g]… [--role reader]… [--minutes 10] [--jwks]

Prints a token for calls to the gRPC port (50051), signed with the private key of the data folder: for grpcurl, and for your
own services inside the mesh. It calls no server.

  --tenant <name>    tenant of the caller; default: demo
  --user <name>      name of the caller; default: me
  --group <name>     a group of the caller (may be given more than once)
  --role <name>      a role of the caller (may be given more than once); default: reader
  --minutes <n>      lifetime, 1 to 1440; default: 10
  --jwks             print the public key as JWKS instead, for proxies that check tokens
${localHelp}`;

/** Runs `npm run token`. */
export async function token(context: CommandContext): Promise<number> {
  const { values } = parseFlags({
    args: context.args,
    options: {
      tenant: { type: 'string', default: 'demo' },
      user: { type: 'string', default: 'me' },
      group: { type: 'string', multiple: true, default: [] },
      role: { type: 'string', multiple: true, default: ['reader'] },
      minutes: { type: 'string', default: '10' },
      jwks: { type: 'boolean', default: false },
      ...commonFlags,
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 24 * 60)) throw new CommandError('--minutes must be from 1 to 1440');
  const config = await context.readConfig(values.config);
  const { privateKey, publicKey } = loadIdentityKeys(config.identity, config.dataDir);
  if (values.jwks) {
    process.stdout.write(`${JSON.stringify({ keys: [toJwk(publicKey)] })}\n`);
    return 0;
  }
  if (privateKey === undefined)
    throw new CommandError(
      'this configuration has only a public key (identity.public_key): make the token on a machine that has the private key',
    );
  const roles = values.role.map(parseRole);
  const principal = create(PrincipalSchema, { tenant: values.tenant, user: values.user, groups: values.group, roles });
  const signer = createTokenSigner(privateKey, Date.now, minutes * 60_000);
  const text = await signer.sign(principal);
  if (values.json) printJson({ token: text, roles: values.role, minutes });
  else process.stdout.write(`${text}\n`);
  return 0;
}

/** Returns a public key of the mesh as JWK. Its id is its thumbprint (RFC 7638). */
function toJwk(publicKey: KeyObject): Record<string, string> {
  const { crv = '', kty = '', x = '' } = publicKey.export({ format: 'jwk' });
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
  return { kty, crv, alg: 'EdDSA', use: 'sig', kid, x };
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
