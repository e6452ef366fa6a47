import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** ONNX Runtime's package comes without the text of its licence: the holder stands in its files. */
const WITHOUT_TEXT = ['onnxruntime-web'];

/**
 * The licences of what is in the page, as they ask for.
 *
 * @param files all that was bundled
 * @throws Error for a package that has no text of its licence
 */
export function pageLicences(files: readonly string[]): string {
  const folders = files.flatMap((file) => {
    const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file) ?? [];
    return folder === undefined ? [] : [folder];
  });
  return [...new Set(folders)].sort().map(licence).join('\n\n');
}

function licence(folder: string): string {
  const { name, version }: { name: string; version: string } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  const own = join(folder, 'LICENSE');
  if (!existsSync(own) && !WITHOUT_TEXT.includes(name)) throw new Error(`${name} has no text of its licence.`);
  // The same words, except for the holder.
  const mit = readFileSync(join(dirname(folder), 'zod', 'LICENSE'), 'utf8').replace(
    /^Copyright.*$/m,
    'Copyright (c) Microsoft Corporation',
  );
  return `${name} ${version}\n\n${(existsSync(own) ? readFileSync(own, 'utf8') : mit).trim()}`;
}
