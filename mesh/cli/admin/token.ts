import { createPublicKey } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createTokenSigner } from '#kit/rpc/identity.ts';
import { loadIdentityKeys, newKey, rotateKey, toJwk } from '#kit/rpc/identity-keys.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { commonFlags, localHelp, parseFlags } from '../flags.ts';

const help = `npm run token -- [--tenant demo] [--user me] [--group g]… [--role reader]… [--minutes 10] [--jwks | --rotate [--leaked]]

Prints a token for calls to the gRPC port (50051), signed with the private key of the data folder: for grpcurl, and for your
own services inside the mesh. It calls no server.

  --tenant <name>    tenant of the caller; default: demo
  --user <name>      name of the caller; default: me
  --group <name>     a group of the caller (may be given more than once)
  --role <name>      a role of the caller (may be given more than once); default: reader
  --minutes <n>      lifetime, 1 to 1440; default: 10
  --jwks             print the public keys as JWKS instead, for proxies that check tokens
  --rotate           make a new key: for the data folder, or, if keys are configured, print it with the steps of a rotation
  --leaked           with --rotate: the old key is known to others, so its tokens are refused, without a time of transition
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
      rotate: { type: 'boolean', default: false },
      leaked: { type: 'boolean', default: false },
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
  if (values.leaked && !values.rotate) throw new CommandError('--leaked needs --rotate');
  if (values.rotate) {
    rotate(config, values.leaked);
    return 0;
  }
  const { privateKey, publicKey, acceptedKeys } = loadIdentityKeys(config.identity, config.dataDir);
  if (values.jwks) {
    process.stdout.write(`${JSON.stringify({ keys: [publicKey, ...acceptedKeys].map(toJwk) })}\n`);
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

/** Replaces the key of the data folder, or prints a key and what to do with it if keys are configured. */
function rotate({ identity, dataDir }: Config, hasLeaked: boolean): void {
  if (!identity?.privateKey && !identity?.publicKey) {
    rotateKey(dataDir, { hasLeaked });
    const old = hasLeaked
      ? 'until then, who has the old key can make tokens.'
      : 'tokens of the old key stay valid until the next rotation.';
    process.stdout.write(`The mesh of ${dataDir} has a new key. Restart its processes; ${old}\n`);
    return;
  }
  const key = newKey();
  const pem = createPublicKey(key).export({ type: 'spki', format: 'pem' });
  process.stdout.write(`${key}${pem}
A new private key, and its public part. Running processes apply each change of the configuration by themselves:
${hasLeaked ? stepsAfterLeak : stepsOfRotation}`);
}

const stepsOfRotation = `1. add the public part to identity.accepted_public_keys in every process;
2. add the public part of the old key there as well, and set identity.private_key to the new one in the processes that make tokens
   (edge, indexer), identity.public_key to the new public part in the others;
3. after a day, the longest life of a token, remove the old public part.
`;

const stepsAfterLeak = `1. remove every key from identity.accepted_public_keys, and set identity.private_key to the new one in the processes that make tokens
   (edge, indexer), identity.public_key to the new public part in the others. Who has the old key can make tokens for a process until it is
   changed there; calls between changed and other processes fail meanwhile.
`;

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
