import type { ImapFlow } from 'imapflow';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { toGuardError } from '#kit/http/guard/guard.ts';
import type { Fetched, Source, SourceDeps } from '../../sources/source.ts';

const settings = {
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535).default(993),
  tls: z.enum(['implicit', 'starttls', 'off']).default('implicit'),
  user: z.string().min(1).max(256),
  password: secret(),
  mailboxes: z.array(z.string().min(1).max(255)).min(1).max(50).default(['INBOX']),
  timeout_ms: z.int().min(1000).max(120_000).describe('Longest time of one command').default(30_000),
};

const pageMax = 500;

/**
 * Reads the messages of mailboxes over IMAP. The id of a message is its mailbox, UIDVALIDITY and UID: after a change of UIDVALIDITY all
 * messages are new. A message never changes.
 */
export const adapter = defineAdapter({
  settings,
  create(given, deps: SourceDeps): Source {
    const { mailboxes, timeout_ms } = given;
    let client: ImapFlow | undefined;
    const connected = async (): Promise<ImapFlow> => {
      if (!client?.usable) client = await connect(given, deps);
      return client;
    };
    /** Runs commands in a mailbox, within the time of one command. */
    const inMailbox = async <T>(
      mailbox: string,
      signal: AbortSignal,
      work: (client: ImapFlow, validity: string) => Promise<T>,
    ): Promise<T> => {
      await deps.pace(signal);
      const run = async () => {
        const connection = await connected();
        const { uidValidity } = await connection.mailboxOpen(mailbox, { readOnly: true });
        return work(connection, String(uidValidity));
      };
      try {
        return await within(run, { timeoutMs: timeout_ms, signals: [signal] });
      } catch (error) {
        // What a connection is doing is not known any more.
        client?.close();
        client = undefined;
        signal.throwIfAborted();
        throw failed(error);
      }
    };
    const list = async function* (signal: AbortSignal): AsyncIterable<string[]> {
      for (const mailbox of mailboxes) {
        const ids = await inMailbox(mailbox, signal, async (connection, validity) => {
          // An empty mailbox has no range of all messages.
          const uids = (await connection.search({ all: true }, { uid: true })) || [];
          return uids.map((uid) => `${mailbox}/${validity}/${uid}`);
        });
        for (let at = 0; at === 0 || at < ids.length; at += pageMax) yield ids.slice(at, at + pageMax);
      }
    };
    return {
      listsAll: true,
      async *changes(_, signal) {
        for await (const ids of list(signal)) yield { entries: ids.map((id) => ({ id, version: '1' })) };
      },
      ids: list,
      async fetch(id, _, signal): Promise<Fetched> {
        const [, mailbox = '', validity = '', uid = ''] = /^(.*)\/(\d+)\/(\d+)$/s.exec(id) ?? [];
        if (!mailboxes.includes(mailbox)) return { kind: 'gone' };
        return inMailbox(mailbox, signal, async (connection, current): Promise<Fetched> => {
          if (current !== validity) return { kind: 'gone' };
          const head = await connection.fetchOne(uid, { size: true }, { uid: true });
          if (head === false || (head.size ?? 0) > deps.maxBytes) return { kind: 'gone' };
          const message = await connection.fetchOne(uid, { source: true }, { uid: true });
          if (message === false || message.source === undefined) return { kind: 'gone' };
          return { kind: 'content', content: { bytes: message.source, mediaType: 'message/rfc822', url: '' } };
        });
      },
      async close() {
        await client?.logout().catch(() => client?.close());
      },
    };
  },
});

async function connect(
  { host, port, tls, user, password }: Parameters<typeof adapter.create>[0],
  { guard }: SourceDeps,
): Promise<ImapFlow> {
  const { ImapFlow } = await load();
  const [address] = await guard.resolve(host, port).catch((error: unknown) => Promise.reject(toGuardError(error)));
  const client = new ImapFlow({
    // The address that was checked; the certificate is that of the host.
    host: address?.address ?? host,
    servername: host,
    port,
    secure: tls === 'implicit',
    doSTARTTLS: tls === 'starttls',
    auth: { user, pass: password },
    logger: false,
    disableAutoIdle: true,
    connectionTimeout: 5000,
    greetingTimeout: 5000,
  });
  client.on('error', () => {});
  await client.connect();
  return client;
}

function failed(error: unknown): unknown {
  const known = toGuardError(error);
  if (known !== error) return known;
  const { responseText, message = 'unknown' } = error as { responseText?: string; message?: string };
  return unavailable('imap', `the mailbox cannot be read: ${(responseText ?? message).slice(0, 200)}`, error);
}

async function load(): Promise<typeof import('imapflow')> {
  try {
    return await import('imapflow');
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('settings.adapter', 'needs a package: npm install --no-save --save-prod --omit=dev imapflow');
  }
}
