import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';

/** Folder of the built console. */
export const consoleFolder = new URL('../../console/dist/', import.meta.url);

/** Serves the console. */
export interface ConsoleAssets {
  /** Serves a file of the console; returns false if the path has none. */
  serve(path: string, request: NodeRequest, response: NodeResponse): Promise<boolean>;
}

interface Asset {
  type: string;
  bytes: Buffer;
  etag: string;
  immutable: boolean;
  gzipped?: Promise<Buffer>;
}

const maxFiles = 1000;
const maxTotalBytes = 64 << 20;
const gzipAsync = promisify(gzip);

/**
 * Serves the files that lie in `folder` when it is first asked for them, from memory. A path is looked up among the files
 * that are there and never put together to a file name, so it cannot lead out of the folder.
 */
export function createConsoleAssets(folder: URL = consoleFolder): ConsoleAssets {
  let assets = new Map<string, Asset>();
  return {
    async serve(path, request, response) {
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (!isRead) return false;
      // The console may be built while the edge runs.
      if (assets.size === 0 && path === '/') assets = readAssets(folder);
      const asset = assets.get(path === '/' ? '/index.html' : path);
      if (asset !== undefined) {
        await sendAsset(asset, request, response);
        return true;
      }
      if (path !== '/') return false;
      response.writeHead(200, {
        ...pageHeaders,
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
      });
      response.end(request.method === 'HEAD' ? undefined : notBuiltPage);
      return true;
    },
  };
}

async function sendAsset(asset: Asset, request: NodeRequest, response: NodeResponse): Promise<void> {
  const headers: Record<string, string> = {
    ...pageHeaders,
    'content-type': asset.type,
    // Vite puts a hash of the content into the names of its assets; the page itself is requested again each time.
    'cache-control': asset.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag: asset.etag,
    vary: 'accept-encoding',
  };
  if (request.headers['if-none-match'] === asset.etag) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  const compress = compressible.test(asset.type) && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (compress) asset.gzipped ??= gzipAsync(asset.bytes, { level: 9 });
  const bytes = compress ? await (asset.gzipped as Promise<Buffer>) : asset.bytes;
  response.writeHead(200, {
    ...headers,
    ...(compress ? { 'content-encoding': 'gzip' } : {}),
    'content-length': String(bytes.length),
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

function readAssets(folder: URL): Map<string, Asset> {
  const root = fileURLToPath(folder);
  const assets = new Map<string, Asset>();
  let totalBytes = 0;
  for (const entry of listFiles(root)) {
    const bytes = readFileSync(entry);
    totalBytes += bytes.length;
    if (assets.size >= maxFiles || totalBytes > maxTotalBytes) {
      throw new Error(`${root} holds more than a console: at most ${maxFiles} files and ${maxTotalBytes} bytes`);
    }
    const path = `/${relative(root, entry).split(sep).join('/')}`;
    assets.set(path, {
      type: types[extname(entry)] ?? 'application/octet-stream',
      bytes,
      etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`,
      immutable: path.startsWith('/assets/'),
    });
  }
  return assets;
}

function listFiles(root: string): string[] {
  if (statSync(root, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath.replace(/[\\/]$/, '')}${sep}${entry.name}`);
}

// Nothing from elsewhere, nothing inline, no frame around it.
const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

const compressible = /^(text\/|application\/(javascript|json)|image\/svg)/;

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

const notBuiltPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>ragmesh</title>
<h1>The console is not built yet</h1>
<p>Build it with <code>npm run console:build</code> and load this page again.</p>
<p lang="zh">控制台尚未构建：请运行 <code>npm run console:build</code>，然后刷新此页面。</p>
</html>
`;
