/** What the driver of NVIDIA tells of its GPUs. */
import { output } from './output.ts';

/** A row of answers for each GPU, or process on one, with units; undefined where the driver does not answer. */
export function askNvidia(
  of: 'gpu' | 'compute-apps',
  ...fields: readonly string[]
): string[][] | undefined {
  const query = [`--query-${of}=${fields.join(',')}`, '--format=csv,noheader'];
  const lines = output('nvidia-smi', query)?.trim().split('\n');
  return lines?.map((line) => line.split(',').map((part) => part.trim()));
}

/** Bytes that are free on the fullest GPU, as any may be the one that is used; undefined where none tells. */
export function freeNvidiaMemory(): number | undefined {
  const free = askNvidia('gpu', 'memory.free')?.map(([memory = '']) => mebibytes(memory));
  return free?.every(Number.isFinite) ? Math.min(...free) * 2 ** 20 : undefined;
}

/** The number in an answer like `1024 MiB`; NaN where there is none, as in `[N/A]`. */
export function mebibytes(memory: string): number {
  return Number.parseInt(memory, 10);
}
