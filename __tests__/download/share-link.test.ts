import { describe, expect, test } from 'vitest';
import { directDownloadUrl, downloadAddressOf } from '../../src/download/share-link.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';

const GOOGLE = 'https://drive.usercontent.google.com/download';

describe('directDownloadUrl', () => {
  test.each([
    // SharePoint and OneDrive for work or school
    ['https://uni.sharepoint.com/:u:/s/Lab/Eab12?e=xY', 'https://uni.sharepoint.com/:u:/s/Lab/Eab12?e=xY&download=1'],
    [
      'https://uni-my.sharepoint.com/:x:/g/personal/a_b/Eab',
      'https://uni-my.sharepoint.com/:x:/g/personal/a_b/Eab?download=1',
    ],
    ['https://uni.sharepoint.com/:u:/s/Lab/Eab12?download=0', 'https://uni.sharepoint.com/:u:/s/Lab/Eab12?download=1'],
    // ownCloud and Nextcloud
    ['https://cloud.example.org/s/aB3xYz', 'https://cloud.example.org/s/aB3xYz/download'],
    ['https://cloud.example.org/s/aB3xYz/', 'https://cloud.example.org/s/aB3xYz/download'],
    ['https://cloud.example.org/index.php/s/aB3xYz', 'https://cloud.example.org/index.php/s/aB3xYz/download'],
    ['https://example.org/own/cloud/s/my-share', 'https://example.org/own/cloud/s/my-share/download'],
    [
      'https://example.org/oc/index.php/s/aB?path=%2F&files=a.zip',
      'https://example.org/oc/index.php/s/aB/download?path=%2F&files=a.zip',
    ],
    ['https://cloud.example.org:8443/s/aB3xYz/download', 'https://cloud.example.org:8443/s/aB3xYz/download'],
    ['http://user:pass@10.0.0.5/s/aB3xYz', 'http://user:pass@10.0.0.5/s/aB3xYz/download'],
    // Dropbox
    ['https://www.dropbox.com/s/ab1/x.zip?dl=0', 'https://www.dropbox.com/s/ab1/x.zip?dl=1'],
    [
      'https://www.dropbox.com/scl/fi/ab1/x.zip?rlkey=k1&dl=0',
      'https://www.dropbox.com/scl/fi/ab1/x.zip?rlkey=k1&dl=1',
    ],
    ['https://dropbox.com/scl/fi/ab1/x.zip?rlkey=k1&raw=1', 'https://dropbox.com/scl/fi/ab1/x.zip?rlkey=k1&dl=1'],
    // Google Drive
    ['https://drive.google.com/file/d/1a-B_c/view?usp=sharing', `${GOOGLE}?id=1a-B_c&export=download&confirm=t`],
    ['https://drive.google.com/file/u/0/d/1a-B_c/edit', `${GOOGLE}?id=1a-B_c&export=download&confirm=t`],
    ['https://drive.google.com/open?id=1a-B_c', `${GOOGLE}?id=1a-B_c&export=download&confirm=t`],
    ['https://drive.google.com/uc?export=download&id=1a-B_c', `${GOOGLE}?id=1a-B_c&export=download&confirm=t`],
    ['https://docs.google.com/u/0/uc?id=1a-B_c', `${GOOGLE}?id=1a-B_c&export=download&confirm=t`],
    [`${GOOGLE}?id=1a-B_c&at=x`, `${GOOGLE}?id=1a-B_c&at=x&export=download&confirm=t`],
    [
      'https://drive.google.com/file/d/1a/view?resourcekey=0-k',
      `${GOOGLE}?id=1a&export=download&confirm=t&resourcekey=0-k`,
    ],
  ])('%s downloads from %s', (link, direct) => {
    expect(directDownloadUrl(new URL(link)).href).toBe(direct);
  });

  test.each([
    'https://example.org/data/images.zip?token=1',
    'https://example.org/s/images.zip',
    'https://example.org/s/a/b',
    'https://uni.sharepoint.com/sites/Lab/Documents/a.zip',
    'https://dl.dropboxusercontent.com/s/ab1/x.zip',
    'https://drive.google.com/',
    'https://notsharepoint.com/:u:/s/Lab/Eab12',
    'https://zenodo.org/records/1/files/a.zip?download=1',
  ])('%s is asked as it is', (link) => {
    expect(directDownloadUrl(new URL(link)).href).toBe(link);
  });

  test('does not change the address it is given', () => {
    const link = new URL('https://www.dropbox.com/s/ab1/x.zip?dl=0');
    directDownloadUrl(link);
    expect(link.href).toBe('https://www.dropbox.com/s/ab1/x.zip?dl=0');
  });

  test.each([
    ['https://1drv.ms/u/s!secret', /1drv\.ms can’t be used.*need a sign-in by now.*ownCloud/],
    ['https://onedrive.live.com/?cid=1&id=secret&authkey=secret', /onedrive\.live\.com can’t be used.*sign-in/],
    ['https://uni.sharepoint.com/:f:/s/Lab/secret?e=secret', /folder of SharePoint.*share the zip itself/],
    ['https://drive.google.com/drive/folders/secret', /folder of Google Drive.*share the zip itself/],
  ])('%s is refused, with what to do instead', async (link, says) => {
    const error = await failureOf(() => directDownloadUrl(new URL(link)));
    expect(error).toMatchObject({ code: 'DOWNLOAD', message: expect.stringMatching(says) });
    expectNowhere(error, 'secret');
  });
});

describe('downloadAddressOf', () => {
  test.each(['images.zip', 'ftp://example.org/secret.zip', 'file:///etc/secret', 'https://', 'https://[secret', ''])(
    'refuses %j without repeating it',
    async (text) => {
      const error = await failureOf(() => downloadAddressOf(text));
      expect(error).toMatchObject({ code: 'DOWNLOAD', message: expect.stringMatching(/no web address/) });
      expectNowhere(error, 'secret');
    },
  );

  test('accepts http and https', () => {
    expect(downloadAddressOf('http://10.0.0.5/a.zip').href).toBe('http://10.0.0.5/a.zip');
    expect(downloadAddressOf('HTTPS://Example.org').href).toBe('https://example.org/');
  });
});
