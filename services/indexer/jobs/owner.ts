/** A process as the owner of leases. */
export interface Owner {
  name: string;
  /** Whether another owner is known to live no more; `false` where that can't be told. */
  isGone(name: string): boolean;
}

/**
 * Creates the owner of a process: its host, its process id, and a nonce of this start, so that a restarted process knows its
 * predecessor's leases at once, also where it has the same process id, as in a container.
 */
export function createOwner(
  host: string,
  pid: number,
  nonce: string,
  isAlive: (pid: number) => boolean = isProcessAlive,
): Owner {
  const name = `${pid}:${nonce}@${host}`;
  return {
    name,
    isGone(other) {
      const parts = /^(\d+):[^@]*@(.*)$/.exec(other);
      // A process of another machine can't be seen from here: its lease must run out.
      if (other === name || parts === null || parts[2] !== host) return false;
      return Number(parts[1]) === pid || !isAlive(Number(parts[1]));
    },
  };
}

function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
