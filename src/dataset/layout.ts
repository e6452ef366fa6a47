import { createHash } from 'node:crypto';
import { foldName, MAX_NAME_BYTES, toSafeName } from './safe-name.ts';

/**
 * Gives every image of one label its file name in the data set. Folders become part of the name (`slide 1/a.jpg` →
 * `slide 1__a.jpg`), so the name of an image does not depend on its neighbours; where two would still meet, also on a
 * file system that ignores case or Unicode form, the later one gets a number (`a-2.jpg`). Names are unique over train
 * and test together, so that the two can be merged.
 */
export function createNamer(): (pathInFolder: string) => string {
  const taken = new Set<string>();
  return (pathInFolder) => {
    const { stem, extension } = splitName(toSafeName(pathInFolder.split('/').join('__')));
    for (let number = 1; ; number++) {
      const name = shorten(stem, `${number === 1 ? '' : `-${number}`}${extension}`);
      const key = foldName(name);
      if (taken.has(key)) continue;
      taken.add(key);
      return name;
    }
  };
}

function splitName(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? { stem: name.slice(0, dot), extension: name.slice(dot) } : { stem: name, extension: '' };
}

/** Shortens the stem of a name that file systems would refuse; a hash of the whole stem keeps it recognisable. */
function shorten(stem: string, ending: string): string {
  const room = MAX_NAME_BYTES - Buffer.byteLength(ending);
  if (Buffer.byteLength(stem) <= room) return stem + ending;
  const hash = `~${createHash('sha256').update(stem).digest('hex').slice(0, 8)}`;
  let cut = '';
  for (const character of stem) {
    if (Buffer.byteLength(cut + character) > room - hash.length) break;
    cut += character;
  }
  return cut + hash + ending;
}
