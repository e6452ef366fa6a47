import fc from 'fast-check';
import { expect, test } from 'vitest';
import { folderParts, remoteFolder, remotePath, urlBelow } from '../../src/owncloud/remote-path.ts';

const ROOT = new URL('https://example.org/sub/remote.php/dav/files/ada/');

test.each([
  ['', [], '/'],
  ['/', [], '/'],
  ['a', ['a'], '/a/'],
  ['/a//b c/', ['a', 'b c'], '/a/b c/'],
])('the folder %j', (folder, parts, path) => {
  expect(folderParts(folder)).toEqual(parts);
  expect(remoteFolder(folder)).toBe(path);
  expect(remotePath(folder, 'x.zip')).toBe(`${path}x.zip`);
});

test('whatever the name, its address stays below the root and leads back to the name', () => {
  const name = fc
    .string({ unit: 'binary', minLength: 1 })
    .filter((text) => !/[\\/\p{Cc}]/u.test(text) && text !== '.' && text !== '..' && text.isWellFormed());
  fc.assert(
    fc.property(fc.array(name), name, (parts, file) => {
      const url = urlBelow(ROOT, remotePath(parts.join('/'), file));
      expect(url.search + url.hash).toBe('');
      const rest = url.pathname.slice(ROOT.pathname.length);
      expect(url.pathname.startsWith(ROOT.pathname)).toBe(true);
      expect(rest.split('/').map(decodeURIComponent)).toEqual([...parts, file]);
    }),
  );
});
