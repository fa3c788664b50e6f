/** Files of any size, a piece at a time. */
import { open } from 'node:fs/promises';

const chunk = 4 << 20;

/**
 * What a file holds, from its beginning to its end, in pieces. While one is looked at, the next is
 * read. A piece is good until the one after the next is asked for.
 * @throws what the system says of a file that cannot be read
 */
export async function* chunksOf(file: string): AsyncGenerator<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const buffers = [Buffer.allocUnsafe(chunk), Buffer.allocUnsafe(chunk)] as const;
    const read = async (buffer: Buffer): Promise<Uint8Array> => {
      const { bytesRead } = await handle.read(buffer, 0, chunk);
      return buffer.subarray(0, bytesRead);
    };
    let reading = read(buffers[0]);
    for (let ahead = 1; ; ahead ^= 1) {
      const bytes = await reading;
      if (bytes.byteLength === 0) return;
      reading = read(buffers[ahead as 0 | 1]);
      // Told of when it is asked for, which may be never.
      reading.catch(() => undefined);
      yield bytes;
    }
  } finally {
    await handle.close();
  }
}
