/** Returns the error of a port that cannot be listened on, with what to do. `setting` is the configuration key of the port. */
export function portError(face: string, host: string, port: number, cause: Error, setting: string): Error {
  const isTaken =
    (cause as NodeJS.ErrnoException).code === 'EADDRINUSE' || /EADDRINUSE|address already in use/i.test(cause.message);
  const advice = isTaken
    ? `port ${port} is taken: stop the process that listens there, or set ${setting} to another port`
    : `cannot listen on ${host}:${port} (${cause.message}): check ${setting}`;
  return new Error(`${face}: ${advice}`, { cause });
}
