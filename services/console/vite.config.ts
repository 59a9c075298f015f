import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/**
 * The page as files that any path can serve: relative URLs, hashed names, and nothing inline, so that the policy
 * `default-src 'self'` holds. `vite services/console` develops against an edge on its default port.
 */
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: { proxy: { '^/(ragmesh\\.|console/session)': 'http://127.0.0.1:8080' } },
});
