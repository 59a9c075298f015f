import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand, skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import { tinyModel } from './gguf.ts';

/** Whether llama.cpp's server is not here, which is then said, for this many tests. */
export function lacksLlama(command: string, testCount: number): boolean {
  return !hasCommand(command) && skipped('llama-server', testCount, 'apt-get install llama.cpp-tools');
}

/** The tiny model as a file, always the same. */
export function writeTinyModel(file: string): void {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  writeFileSync(file, tinyModel(random));
}

/** llama.cpp's server with a tiny model, which speaks chat completions, Responses and Messages. */
export function startLlama(command: string, apiKey: string): Promise<TestServer> {
  return startTestServer({
    command,
    args: (port, folder) => {
      const model = join(folder, 'tiny.gguf');
      writeTinyModel(model);
      const words = `-m ${model} --alias tiny --host 127.0.0.1 --port ${port} -c 1024 -np 2 --api-key ${apiKey}`;
      return words.split(' ');
    },
    isReady: async (port) => (await fetch(`http://127.0.0.1:${port}/health`)).ok,
  });
}
