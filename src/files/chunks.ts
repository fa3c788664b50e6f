/** Files of any size, a piece at a time. */
import { open } from 'node:fs/promises';

const chunk = 4 << 20;

/**
 * What a file holds, from its beginning to its end, in pieces. While one is looked at, the next is
 * read. A piece is good until the next is asked for.
 * @throws what the system says of a file that cannot be read
 */
export async function* chunksOf(file: string): AsyncGenerator<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const read = async (buffer: Buffer): Promise<Uint8Array> => {
      const { bytesRead } = await handle.read(buffer, 0, chunk);
      return buffer.subarray(0, bytesRead);
    };
    let [filling, shown] = [Buffer.allocUnsafe(chunk), Buffer.allocUnsafe(chunk)];
    let reading = read(filling);
    for (;;) {
      const bytes = await reading;
      if (bytes.byteLength === 0) return;
      [filling, shown] = [shown, filling];
      reading = read(filling);
      // Told of when it is asked for, which may be never.
      reading.catch(() => undefined);
      yield bytes;
    }
  } finally {
    await handle.close();
  }
}
