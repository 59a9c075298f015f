import type { JsonObject } from '@bufbuild/protobuf';

/** A secret by its name, as the server reads it. */
const secret = (name: string) => `$\{${name}}`;

/** What settings of each kind of place look like. */
const examples = {
  web: { start_urls: ['https://help.example.com/'] },
  folder: { path: '/srv/documents' },
  s3: {
    bucket: 'documents',
    region: 'us-east-1',
    access_key_id: secret('S3_KEY'),
    secret_access_key: secret('S3_SECRET'),
  },
  git: { url: 'https://github.com/acme/handbook.git', branch: 'main', prefix: 'docs/' },
  rss: { urls: ['https://blog.example.com/feed.xml'] },
  sql: {
    engine: 'postgres',
    host: 'db.example.com',
    port: 5432,
    database: 'shop',
    user: 'reader',
    password: secret('DB_PASSWORD'),
    query: 'SELECT id, title, body AS text, updated_at FROM articles',
  },
  zendesk: { base_url: 'https://acme.zendesk.com', email: 'sync@acme.com', api_token: secret('ZENDESK_TOKEN') },
  intercom: { access_token: secret('INTERCOM_TOKEN') },
  confluence: { base_url: 'https://acme.atlassian.net', email: 'sync@acme.com', api_token: secret('CONFLUENCE_TOKEN') },
  notion: { token: secret('NOTION_TOKEN') },
  feishu: { app_id: 'cli_a1', app_secret: secret('FEISHU_SECRET'), space_ids: ['7000000000000000000'] },
  imap: { host: 'imap.example.com', user: 'kb@example.com', password: secret('IMAP_PASSWORD'), mailboxes: ['INBOX'] },
} satisfies Record<string, JsonObject>;

/** A kind of place. */
export type Adapter = keyof typeof examples;

/** All kinds of places. */
export const adapters = Object.keys(examples) as Adapter[];

/** Returns an example of the settings of a kind of place. */
export function exampleOf(adapter: Adapter): JsonObject {
  return examples[adapter];
}
