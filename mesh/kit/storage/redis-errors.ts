import { internal, unavailable } from '../base/errors.ts';

/** The first word of a Redis error and what it means (https://redis.io/docs/latest/develop/reference/protocol-spec/). */
const causes = new Map([
  ['LOADING', 'is starting'],
  ['BUSY', 'is blocked by a script that takes long'],
  ['MASTERDOWN', 'has lost its master'],
  ['READONLY', 'is a replica, which takes no writes'],
  ['NOREPLICAS', 'has too few replicas'],
  ['CLUSTERDOWN', 'has lost a part of its cluster'],
  ['TRYAGAIN', 'is moving keys between its nodes'],
  ['MISCONF', 'cannot write to its disk'],
  ['OOM', 'is full'],
  ['NOAUTH', 'requires a password: check the settings'],
  ['WRONGPASS', 'rejects its password: check the settings'],
  ['NOPERM', 'does not permit a command: check the rights of its user'],
]);

/**
 * Returns an error of a Redis command as one that may cross a service. `name` is the dependency: "vector store". A server that is
 * unreachable, or refuses for now, is UNAVAILABLE; any other reply is a bug of ragmesh, INTERNAL.
 */
export function redisError(name: string, thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  if (thrown.name !== 'ReplyError') return unavailable(name, `the ${name} cannot be reached`, thrown);
  const [word = ''] = replyText(thrown).split(' ', 1);
  const cause = causes.get(word);
  return cause === undefined ? internal(thrown) : unavailable(name, `the ${name} ${cause}`, thrown);
}

/** Returns the text of an error reply. A transaction that was refused has the reason in its parts. */
export function replyText(thrown: Error): string {
  const [previous] = (thrown as { previousErrors?: Error[] }).previousErrors ?? [];
  return (previous ?? thrown).message;
}
