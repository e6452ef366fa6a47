import { describe, expect, test } from 'vitest';
import { parseOwncloudAddress } from '../../src/owncloud/address.ts';

describe('a server’s address', () => {
  test.each([
    ['https://cloud.example.org', 'https://cloud.example.org/'],
    ['  https://cloud.example.org/ ', 'https://cloud.example.org/'],
    ['http://10.0.0.5:8080', 'http://10.0.0.5:8080/'],
    ['https://example.org/owncloud', 'https://example.org/owncloud/'],
    ['https://example.org/index.php/apps/files', 'https://example.org/'],
    ['https://example.org/nc/apps/dashboard/', 'https://example.org/nc/'],
    ['https://example.org/login?redirect_url=/apps/files', 'https://example.org/'],
    ['https://example.org/apps/files/?dir=/&fileid=2', 'https://example.org/'],
    ['https://example.org/apps/files/files?dir=/', 'https://example.org/'],
    ['https://example.org/files/spaces/personal/ada?items-per-page=100', 'https://example.org/'],
    ['https://example.org/oc/remote.php/dav/', 'https://example.org/oc/'],
    ['https://example.org/remote.php/dav/files/', 'https://example.org/'],
    ['https://example.org/status.php', 'https://example.org/'],
    ['https://dav.example.org/any/folder/', 'https://dav.example.org/any/folder/'],
  ])('%s', (text, base) => {
    const address = parseOwncloudAddress(text);
    expect(address).toMatchObject({ kind: 'server', folder: '' });
    expect(address.base.href).toBe(base);
  });
});

describe('the folder that a page shows is the one that is meant:', () => {
  const OC = 'https://example.org/oc/';
  test.each([
    [`${OC}index.php/apps/files/?dir=/data%20sets&fileid=12`, { kind: 'server', folder: 'data sets' }],
    [`${OC}apps/files/?dir=/Team&fileid=12`, { kind: 'server', folder: 'Team' }],
    [`${OC}apps/files/files/123?dir=/Team/2026`, { kind: 'server', folder: 'Team/2026' }],
    [`${OC}apps/files/files/123?dir=%2FA%2BB+C%25`, { kind: 'server', folder: 'A+B C%' }],
    [`${OC}files/spaces/personal/ada/Data%20sets?fileId=1$2!3`, { kind: 'server', folder: 'Data sets' }],
    [`${OC}files/spaces/project/team`, { kind: 'space', alias: 'project/team', folder: '' }],
    [`${OC}files/spaces/project/team/a%20b/c?x=1`, { kind: 'space', alias: 'project/team', folder: 'a b/c' }],
    [`${OC}index.php/s/aB3-_x?path=%2Fx%20y`, { kind: 'public-link', token: 'aB3-_x', folder: 'x y' }],
    [`${OC}s/aB3-_x?dir=/x/z`, { kind: 'public-link', token: 'aB3-_x', folder: 'x/z' }],
    [`${OC}files/link/public/aB3-_x/x`, { kind: 'public-link', token: 'aB3-_x', folder: 'x' }],
    [`${OC}remote.php/dav/public-files/aB3-_x/x%20y`, { kind: 'public-link', token: 'aB3-_x', folder: 'x y' }],
  ])('%s', (text, expected) => {
    const address = parseOwncloudAddress(text);
    expect(address).toMatchObject(expected);
    expect(address.base.href).toBe(OC);
  });

  test.each([
    'https://example.org/f/123',
    'https://example.org/index.php/f/123',
    'https://example.org/apps/files/files/123',
    'https://example.org/apps/files/?fileid=123',
    'https://example.org/files/shares/with-me',
    'https://example.org/files/spaces/share/team?shareId=1',
  ])('%s does not tell it, and is refused with what to write', (text) => {
    expect(() => parseOwncloudAddress(text)).toThrow(
      /does not tell .+ Write https:\/\/example\.org\/ there, and the folder/,
    );
  });

  test('one that leads elsewhere is refused', () => {
    expect(() => parseOwncloudAddress('https://example.org/apps/files/?dir=/a/../../b')).toThrow('leads elsewhere');
  });
});

describe('a WebDAV address', () => {
  test.each([
    ['https://example.org/remote.php/dav/files/ada', 'https://example.org/', '/remote.php/dav/files/ada/'],
    [
      'https://example.org/oc/remote.php/dav/files/ada/a%20b/',
      'https://example.org/oc/',
      '/oc/remote.php/dav/files/ada/a%20b/',
    ],
    ['https://example.org/remote.php/webdav/', 'https://example.org/', '/remote.php/webdav/'],
    ['https://example.org/remote.php/dav/spaces/1$2', 'https://example.org/', '/remote.php/dav/spaces/1$2/'],
    ['https://example.org/public.php/webdav', 'https://example.org/', '/public.php/webdav/'],
  ])('%s', (text, base, root) => {
    const address = parseOwncloudAddress(text);
    expect(address.kind).toBe('dav');
    expect(address.base.href).toBe(base);
    expect(address.kind === 'dav' && address.root.pathname).toBe(root);
  });
});

describe('a public link', () => {
  test.each([
    ['https://example.org/s/aB3-_x', 'https://example.org/'],
    ['https://example.org/index.php/s/aB3-_x/', 'https://example.org/'],
    ['https://example.org/own/cloud/s/aB3-_x', 'https://example.org/own/cloud/'],
    ['https://example.org/s/aB3-_x/download', 'https://example.org/'],
    ['https://example.org/index.php/s/aB3-_x/authenticate/showShare', 'https://example.org/'],
    ['https://example.org/remote.php/dav/public-files/aB3-_x', 'https://example.org/'],
    ['https://example.org/public.php/dav/files/aB3-_x/', 'https://example.org/'],
  ])('%s', (text, base) => {
    const address = parseOwncloudAddress(text);
    expect(address.kind === 'public-link' && address.token).toBe('aB3-_x');
    expect(address.base.href).toBe(base);
  });
});

describe('what is refused', () => {
  test.each(['', '   ', 'cloud.example.org', 'https://', 'my cloud', '/remote.php/webdav'])('%j', (text) => {
    expect(() => parseOwncloudAddress(text)).toThrow(/^owncloud-url is .*expected an address/);
  });

  test.each(['davs://example.org/x', 'ftp://example.org', 'file:///etc'])('%s, which is no web address', (text) => {
    expect(() => parseOwncloudAddress(text)).toThrow(/^owncloud-url is /);
  });

  test.each([
    'https://ada:s3cret@example.org',
    'https://s3cret@example.org/x',
    'https://:s3cret@example.org',
    'ada:s3cret@example.org',
    'https://a b:s3cret@example.org',
  ])('credentials in the address, without repeating them', (text) => {
    expect(() => parseOwncloudAddress(text)).toThrow(/owncloud-password/);
    expect(() => parseOwncloudAddress(text)).not.toThrow(/s3cret/);
  });

  test.each(['https://dav.example.org/x?key=1', 'https://example.org/remote.php/webdav/?a=b'])(
    '%s: a query',
    (text) => {
      expect(() => parseOwncloudAddress(text)).toThrow(/part after “\?”/);
    },
  );
});
