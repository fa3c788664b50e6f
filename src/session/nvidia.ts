/** What the driver of NVIDIA tells of its GPUs. */
import { output } from './output.ts';

/** A row of answers for each GPU; undefined where the driver does not answer. */
export function askNvidia(...fields: readonly string[]): string[][] | undefined {
  const query = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
  const lines = output('nvidia-smi', query)?.trim().split('\n');
  return lines?.map((line) => line.split(',').map((part) => part.trim()));
}

/** Bytes that are free on the fullest GPU, as any may be the one that is used; undefined where none tells. */
export function freeNvidiaMemory(): number | undefined {
  const free = askNvidia('memory.free')?.map(([mebibytes]) => Number(mebibytes) * 2 ** 20);
  return free?.every(Number.isFinite) ? Math.min(...free) : undefined;
}
