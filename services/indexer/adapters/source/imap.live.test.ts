import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImapFlow } from 'imapflow';
import { describe, expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { hasCommand, skipped, startTestServer } from '#kit/testing/server.ts';
import { sourceSuite } from '../../suites/source.suite.ts';
import { openTestSource } from '../../testing/source-deps.ts';

// A real IMAP server on loopback. Only root can start it.

const command = 'dovecot';
const isHere = hasCommand(command) && process.getuid?.() === 0;
const never = new AbortController().signal;
const uid = 12_345;

async function startImap() {
  const server = await startTestServer({
    command,
    args(port, folder) {
      chmodSync(folder, 0o755);
      for (const name of ['run', 'state', 'mail']) mkdirSync(join(folder, name));
      chownSync(join(folder, 'mail'), uid, uid);
      writeFileSync(join(folder, 'users'), `bot:{PLAIN}a-long-secret:${uid}:${uid}::${folder}/mail::\n`);
      const path = join(folder, 'dovecot.conf');
      writeFileSync(
        path,
        `base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:${folder}/mail/Maildir
first_valid_uid = 1000
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
passdb {
  driver = passwd-file
  args = ${folder}/users
}
userdb {
  driver = passwd-file
  args = ${folder}/users
}
namespace inbox {
  inbox = yes
}
`,
      );
      return ['-F', '-c', path];
    },
  });
  const client = new ImapFlow({
    ...{ host: '127.0.0.1', port: server.port, secure: false, logger: false },
    auth: { user: 'bot', pass: 'a-long-secret' },
  });
  client.on('error', () => {});
  await client.connect();
  const settings = { host: '127.0.0.1', port: server.port, tls: 'off', user: 'bot', password: 'a-long-secret' };
  const close = async () => {
    await client.logout().catch(() => {});
    await server[Symbol.asyncDispose]();
  };
  return { server, client, settings, close };
}

const messageOf = (text: string) =>
  `From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?B?${Buffer.from('退货').toString('base64')}?=\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${text}\r\n`;

describe.skipIf(!isHere && skipped('imap', 8, 'as root: apt-get install dovecot-imapd'))('a real IMAP server', () => {
  sourceSuite('imap', async () => {
    const { client, settings, close } = await startImap();
    const uids = new Map<string, number>();
    let away = false;
    const remove = async (name: string) => {
      await client.mailboxOpen('INBOX');
      await client.messageDelete(String(uids.get(name)), { uid: true });
    };
    return {
      open: () =>
        openTestSource('imap', settings, {
          async pace() {
            if (away) throw new Error('the place is away');
          },
        }),
      // A message does not change: another one is in its place.
      async put(name, text) {
        if (uids.has(name)) await remove(name);
        const appended = await client.append('INBOX', messageOf(text));
        if (appended === false || appended.uid === undefined) throw new Error('not appended');
        uids.set(name, appended.uid);
        return `INBOX/${appended.uidValidity}/${appended.uid}`;
      },
      remove,
      async breakListing() {
        await client.mailboxOpen('INBOX');
        away = true;
        return async () => {
          away = false;
        };
      },
      close,
    };
  });

  test('mailboxes that are not named are not read, a large message is gone, and a wrong password is said', async () => {
    const { client, settings, close } = await startImap();
    await client.mailboxCreate('Private');
    await client.append('Private', messageOf('secret'));
    await client.append('INBOX', messageOf('x'.repeat(5000)));
    const source = await openTestSource('imap', settings, { maxBytes: 2000 });
    const ids = (await collect(source.ids(never))).flat();
    expect(ids).toHaveLength(1);
    expect(await source.fetch(ids[0] ?? '', '', never)).toEqual({ kind: 'gone' });
    expect(await source.fetch('Private/1/1', '', never)).toEqual({ kind: 'gone' });
    await source.close();
    const wrong = await openTestSource('imap', { ...settings, password: 'wrong' });
    await expect(collect(wrong.ids(never))).rejects.toThrow('the mailbox cannot be read');
    await wrong.close();
    const refused = await openTestSource('imap', settings, { allow: [] });
    await expect(collect(refused.ids(never))).rejects.toThrow('no address on the public internet');
    await refused.close();
    await close();
  });
});
