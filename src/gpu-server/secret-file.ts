import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A secret text in a file that only its owner can read, for as long as it is used: programs take files, not secrets. */
export async function inSecretFile<T>(temporary: string, text: string, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(temporary, 'diatom-server-'));
  try {
    const file = join(folder, 'user-data');
    await writeFile(file, text, { mode: 0o600, flag: 'wx' });
    return await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
