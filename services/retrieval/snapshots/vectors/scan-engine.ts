import { entryBytes, maxBlockRows, passGroups, type ScanExports, scanModule, sumsBytes } from './scan-module.ts';

/** How blocks are scored. All kinds give the same results, bit for bit. */
export type EngineKind = 'relaxed' | 'plain' | 'script';

/** The groups of a question, see `question.ts`. */
export interface QuestionGroups {
  /** Pairs of a group and of the four bytes of the question there, for products that are added; then for those that are subtracted. */
  readonly added: readonly GroupBytes[];
  readonly subtracted: readonly GroupBytes[];
}

/** Four bytes of a question, each from 0 to 127, as one little-endian integer. */
export interface GroupBytes {
  readonly group: number;
  readonly bytes: number;
}

/** A part of a segment to score: places are byte addresses in its memory. */
export interface BlockPlaces {
  readonly codes: number;
  readonly scales: number;
  readonly sums: number;
  /** A multiple of the rows of a step. */
  readonly rowCount: number;
}

/** Scores the blocks of one segment. */
export interface BlockScan {
  /** Sets the question of the next blocks. `blockRows`: of the segment. */
  ask(question: QuestionGroups, blockRows: number): void;
  /**
   * Scores a block, and returns how many rows have a value above `threshold`: (Σ products - `bias` * sum of codes + `shift`) * scale. They are in
   * `positions` (in the block) and `values` until the next call.
   */
  score(block: BlockPlaces, bias: number, shift: number, threshold: number): number;
  /** Position of hit i at 2 * i. */
  readonly positions: Uint32Array;
  /** Value of hit i at 2 * i. */
  readonly values: Float32Array;
}

/** What a thread needs once to search any number of segments: compiled code, and memory for one question. */
export interface ScanEngine {
  readonly kind: EngineKind;
  /** Returns the scan of a segment's memory. The scans of an engine share its memory: a search ends before the next one begins. */
  attach(memory: WebAssembly.Memory): BlockScan;
}

const pageBytes = 65_536;
const entriesAt = sumsBytes;
/** Groups of the longest question: all groups of 8,192 dimensions, once or in two parts that are not longer together. */
const maxEntries = 8192 / 4 + 2 * passGroups;
const hitsAt = entriesAt + maxEntries * entryBytes;
const privateBytes = hitsAt + maxBlockRows * entryBytes;

/** Returns the fastest kind that this machine has. */
export function bestEngineKind(): EngineKind {
  return (['relaxed', 'plain'] as const).find((kind) => WebAssembly.validate(scanModule(kind))) ?? 'script';
}

/** Creates the engine of a thread. */
export function createScanEngine(kind: EngineKind = bestEngineKind()): ScanEngine {
  const module = kind === 'script' ? undefined : new WebAssembly.Module(scanModule(kind));
  const own = new WebAssembly.Memory({ initial: Math.ceil(privateBytes / pageBytes) });
  const entries = new Uint32Array(own.buffer, entriesAt, maxEntries * 2);
  const positions = new Uint32Array(own.buffer, hitsAt, maxBlockRows * 2);
  const values = new Float32Array(own.buffer, hitsAt + 4, maxBlockRows * 2 - 1);
  return {
    kind,
    attach(memory) {
      const { scan } =
        module === undefined ? createScriptScan(memory.buffer, own.buffer) : instantiate(module, memory, own);
      let [positivesEnd, end] = [0, 0];
      return {
        positions,
        values,
        ask({ added, subtracted }, blockRows) {
          positivesEnd = write(entries, 0, added, blockRows);
          end = write(entries, positivesEnd, subtracted, blockRows);
          // A scan makes at least one pass.
          if (end === 0) positivesEnd = end = write(entries, 0, [{ group: 0, bytes: 0 }], blockRows);
        },
        score({ codes, scales, sums, rowCount }, bias, shift, threshold) {
          const ends = [entriesAt + positivesEnd * entryBytes, entriesAt + end * entryBytes] as const;
          return scan(codes, rowCount, entriesAt, ...ends, scales, sums, bias, shift, threshold, hitsAt);
        },
      };
    },
  };
}

// A pass reads a fixed number of groups: zeros fill the last one, over a group that is in the cache already. Returns the end of the entries.
function write(entries: Uint32Array, from: number, groups: readonly GroupBytes[], blockRows: number): number {
  const end = from + Math.ceil(groups.length / passGroups) * passGroups;
  for (let index = from; index < end; index++) {
    const { group = groups.at(-1)?.group ?? 0, bytes = 0 } = groups[index - from] ?? {};
    entries[2 * index] = group * blockRows * 4;
    entries[2 * index + 1] = bytes;
  }
  return end;
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory, own: WebAssembly.Memory): ScanExports {
  const { exports } = new WebAssembly.Instance(module, { env: { segment: memory, private: own } });
  return exports as unknown as ScanExports;
}

// The same function without SIMD. It has no passes, because nothing reads ahead of it.
function createScriptScan(segment: ArrayBufferLike, own: ArrayBufferLike): ScanExports {
  const codes = new Int8Array(segment);
  const floats = new Float32Array(segment);
  const integers = new Int32Array(segment);
  const bytes = new Uint8Array(own);
  const [words, hits, hitValues] = [new Uint32Array(own), new Uint32Array(own), new Float32Array(own)];
  const totals = new Int32Array(maxBlockRows);
  const addGroup = (at: number, rowCount: number, entry: number, sign: number) => {
    const from = at + (words[entry >> 2] as number);
    const [a, b, c, d] = [4, 5, 6, 7].map((offset) => sign * (bytes[entry + offset] as number)) as [
      number,
      number,
      number,
      number,
    ];
    for (let row = 0; row < rowCount; row++) {
      const code = from + 4 * row;
      const sum = (codes[code] as number) * a + (codes[code + 1] as number) * b;
      totals[row] = (totals[row] as number) + sum + (codes[code + 2] as number) * c + (codes[code + 3] as number) * d;
    }
  };
  return {
    scan(rows, rowCount, entries, positivesEnd, end, scales, sums, bias, shift, threshold, out) {
      totals.fill(0, 0, rowCount);
      for (let entry = entries; entry < end; entry += entryBytes) {
        addGroup(rows, rowCount, entry, entry < positivesEnd ? 1 : -1);
      }
      const [shiftFloat, least] = [Math.fround(shift), Math.fround(threshold)];
      let hitCount = 0;
      for (let row = 0; row < rowCount; row++) {
        const total = (totals[row] as number) - bias * (integers[(sums >> 2) + row] as number);
        const value = Math.fround(
          Math.fround(Math.fround(total) + shiftFloat) * (floats[(scales >>> 2) + row] as number),
        );
        if (!(value > least)) continue;
        hits[(out >> 2) + 2 * hitCount] = row;
        hitValues[(out >> 2) + 2 * hitCount++ + 1] = value;
      }
      return hitCount;
    },
  };
}
