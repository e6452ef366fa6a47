import { describe, expect, test } from 'vitest';
import { directDownloadUrl, downloadAddressOf, redirectedShare } from '../../src/download/share-link.ts';
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
    // Box
    ['https://app.box.com/s/ab12', 'https://app.box.com/shared/static/ab12.zip'],
    ['https://uni.box.com/s/ab12/', 'https://uni.box.com/shared/static/ab12.zip'],
    // Zenodo
    ['https://zenodo.org/records/12/preview/a.zip', 'https://zenodo.org/records/12/files/a.zip?download=1'],
    ['https://zenodo.org/record/12/files/a%20b.zip', 'https://zenodo.org/records/12/files/a%20b.zip?download=1'],
    ['https://sandbox.zenodo.org/records/1/files/a.zip', 'https://sandbox.zenodo.org/records/1/files/a.zip?download=1'],
    // Figshare
    ['https://figshare.com/ndownloader/files/380', 'https://api.figshare.com/v2/file/download/380'],
    ['https://uni.figshare.com/ndownloader/files/380', 'https://api.figshare.com/v2/file/download/380'],
    [
      'https://ndownloader.figshare.com/files/380?private_link=x',
      'https://api.figshare.com/v2/file/download/380?private_link=x',
    ],
    // Dataverse
    [
      'https://dataverse.harvard.edu/dataset.xhtml?persistentId=doi:10.7910/DVN/AB&version=4.0',
      'https://dataverse.harvard.edu/api/access/dataset/:persistentId/?persistentId=doi%3A10.7910%2FDVN%2FAB',
    ],
    ['https://data.uni.edu/dv/file.xhtml?fileId=12&version=1.0', 'https://data.uni.edu/dv/api/access/datafile/12'],
    [
      'https://data.uni.edu/file.xhtml?persistentId=doi:10.1/A/B',
      'https://data.uni.edu/api/access/datafile/:persistentId?persistentId=doi%3A10.1%2FA%2FB',
    ],
    // GitHub
    ['https://github.com/lab/data/blob/main/a.zip', 'https://github.com/lab/data/raw/main/a.zip'],
    ['https://raw.githubusercontent.com/lab/data/main/sets/a.zip', 'https://github.com/lab/data/raw/main/sets/a.zip'],
    // Google Drive of an organisation
    ['https://drive.google.com/a/uni.edu/file/d/1a/view', `${GOOGLE}?id=1a&export=download&confirm=t`],
    // Box, as its page shows a file
    ['https://uni.app.box.com/s/ab12/file/34', 'https://uni.app.box.com/shared/static/ab12.zip'],
    // The page of a Figshare item that shows a file
    ['https://figshare.com/articles/dataset/x/12?file=380', 'https://api.figshare.com/v2/file/download/380'],
    // OSF
    ['https://osf.io/ab12c/', 'https://osf.io/download/ab12c/'],
    ['https://osf.io/ab12c?view_only=x', 'https://osf.io/download/ab12c/?view_only=x'],
    [
      'https://osf.io/ab12c/files/osfstorage/5e9c2a1613ba8300f1c31b28',
      'https://files.osf.io/v1/resources/ab12c/providers/osfstorage/5e9c2a1613ba8300f1c31b28',
    ],
    // Kaggle
    ['https://www.kaggle.com/datasets/lab/diatoms', 'https://www.kaggle.com/api/v1/datasets/download/lab/diatoms'],
    [
      'https://www.kaggle.com/datasets/lab/diatoms/download?datasetVersionNumber=2',
      'https://www.kaggle.com/api/v1/datasets/download/lab/diatoms?datasetVersionNumber=2',
    ],
    // Hugging Face
    [
      'https://huggingface.co/datasets/lab/diatoms/blob/main/a.zip',
      'https://huggingface.co/datasets/lab/diatoms/resolve/main/a.zip',
    ],
    // GitLab
    ['https://git.uni.edu/lab/data/-/blob/main/a.zip', 'https://git.uni.edu/lab/data/-/raw/main/a.zip'],
    // Google Cloud Storage
    ['https://storage.cloud.google.com/lab/a.zip', 'https://storage.googleapis.com/lab/a.zip'],
    // Seafile
    ['https://cloud.uni.edu/f/1a2b3c4d5e/', 'https://cloud.uni.edu/f/1a2b3c4d5e/?dl=1'],
    ['https://uni.edu/seafile/f/1a2b3c4d5e', 'https://uni.edu/seafile/f/1a2b3c4d5e?dl=1'],
    [
      'https://cloud.uni.edu/d/1a2b3c4d5e/files/?p=%2Fa.zip',
      'https://cloud.uni.edu/d/1a2b3c4d5e/files/?p=%2Fa.zip&dl=1',
    ],
    // A folder of a share
    ['https://cloud.example.org/s/aB3?dir=/Hannaea', 'https://cloud.example.org/s/aB3/download?path=%2FHannaea'],
    ['https://cloud.example.org/s/aB3?dir=%2F', 'https://cloud.example.org/s/aB3/download'],
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
    'https://zenodo.org/api/records/1/files-archive',
    'https://api.figshare.com/v2/file/download/380',
    'https://figshare.com/articles/dataset/x/380',
    'https://app.box.com/shared/static/ab12.zip',
    'https://data.uni.edu/api/access/datafile/12',
    'https://github.com/lab/data/releases/download/v1/a.zip',
    'https://github.com/lab/data/raw/main/a.zip',
    'https://media.githubusercontent.com/media/lab/data/main/a.zip',
    'https://raw.githubusercontent.com/lab/data/main/a.zip?token=1',
    'https://bucket.s3.eu-central-1.amazonaws.com/a.zip?X-Amz-Signature=1',
    'https://example.org/f/photos/',
    'https://osf.io/download/ab12c/',
    'https://files.osf.io/v1/resources/ab12c/providers/osfstorage/?zip=',
    'https://www.kaggle.com/api/v1/datasets/download/lab/diatoms',
    'https://huggingface.co/datasets/lab/diatoms/resolve/main/a.zip?download=true',
    'https://git.uni.edu/lab/data/-/raw/main/a.zip?inline=false',
    'https://datadryad.org/downloads/file_stream/12',
    'https://download1.mediafire.com/ab/a.zip',
    'https://example.org/my/apps/filesystem/a.zip',
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
    ['https://cloud.uni.edu/d/5ec7e75ec7e7/?secret', /folder of Seafile.*share the zip itself/],
    ['https://cloud.uni.edu/d/5ec7e75ec7e7?secret', /folder of Seafile.*share the zip itself/],
    ['https://drive.google.com/folderview?id=secret', /folder of Google Drive.*share the zip itself/],
    ['https://uni.box.com/s/secret/folder/1', /folder of Box.*share the zip itself/],
    ['https://uni.sharepoint.com/sites/x/Forms/AllItems.aspx?id=secret', /page which shows a folder.*“Anyone with/],
    ['https://uni-my.sharepoint.com/personal/a/_layouts/15/onedrive.aspx?id=secret', /page which shows a folder/],
    [
      'https://cloud.uni.edu/apps/files/files/12?dir=/secret',
      /internal link, for those who are signed in.*public link/,
    ],
    ['https://cloud.uni.edu/nc/index.php/f/12345?secret', /internal link, for those who are signed in/],
    ['https://wetransfer.com/downloads/secret', /can’t be used.*only to browsers.*ownCloud/],
    ['https://we.tl/t-secret', /can’t be used.*only to browsers.*ownCloud/],
    ['https://mega.nz/file/secret', /can’t be used.*only to browsers.*ownCloud/],
    ['https://www.mediafire.com/file/secret', /can’t be used.*only to browsers.*ownCloud/],
    ['https://pan.baidu.com/s/secret', /can’t be used.*only to browsers.*ownCloud/],
  ])('%s is refused, with what to do instead', async (link, says) => {
    const error = await failureOf(() => directDownloadUrl(new URL(link)));
    expect(error).toMatchObject({ code: 'DOWNLOAD', message: expect.stringMatching(says) });
    expectNowhere(error, 'secret');
  });
});

describe('the rules for share links apply to where a redirect leads', () => {
  const DAV = 'https://cloud.example.org/public.php/dav/files/aB3/';
  test.each([
    [
      'of a short link',
      'https://sho.rt/x',
      'https://cloud.example.org/s/aB3',
      'https://cloud.example.org/s/aB3/download',
    ],
    [
      'of Nextcloud, which forgets the folder',
      'https://cloud.example.org/s/aB3/download?path=%2FA%20b%2FC',
      `${DAV}?accept=zip`,
      `${DAV}A%20b/C?accept=zip`,
    ],
    [
      'of Nextcloud, which forgets the one file',
      'https://cloud.example.org/s/aB3/download?path=%2FA&files=c.zip',
      `${DAV}?accept=zip`,
      `${DAV}A/c.zip?accept=zip`,
    ],
    [
      'of Nextcloud, which forgets the files',
      'https://cloud.example.org/s/aB3/download?path=%2FA&files=%5B%22b%22,%22c%22%5D',
      `${DAV}?accept=zip`,
      `${DAV}A?accept=zip&files=%5B%22b%22%2C%22c%22%5D`,
    ],
    [
      'of Nextcloud to the whole share',
      'https://cloud.example.org/s/aB3/download',
      `${DAV}?accept=zip`,
      `${DAV}?accept=zip`,
    ],
    [
      'of a service to its own page',
      'https://cloud.example.org/s/aB3/download',
      'https://cloud.example.org/s/aB3/authenticate',
      'https://cloud.example.org/s/aB3/authenticate',
    ],
    ['that goes on as it is', 'https://example.org/a', 'https://example.org/b.zip', 'https://example.org/b.zip'],
  ])('%s', (_, from, target, expected) => {
    const end = redirectedShare(new URL(from), new URL(target)).href.replace(/\/\?/, '?');
    expect(end).toBe(expected.replace(/\/\?/, '?'));
  });
});

describe('downloadAddressOf', () => {
  test.each(['images.zip', 'ftp://example.org/secret.zip', 'file:///etc/secret', 'https://', 'https://[secret', ''])(
    'refuses %j without repeating it',
    async (text) => {
      const error = await failureOf(() => downloadAddressOf(text));
      expect(error).toMatchObject({ code: 'DOWNLOAD', message: expect.stringMatching(/not a web address/) });
      expectNowhere(error, 'secret');
    },
  );

  test.each([
    ['https://example.org/My set 1.zip', 'https://example.org/My%20set%201.zip'],
    ['https://example.org/slide #2.zip', 'https://example.org/slide%20%232.zip'],
    ['https://example.org/100%.zip?a=50%25', 'https://example.org/100%25.zip?a=50%25'],
    [' https://example.org/a.zip\n', 'https://example.org/a.zip'],
    ['https://example.org/a.zip#page', 'https://example.org/a.zip#page'],
  ])('%j, as people copy it', (text, address) => {
    expect(downloadAddressOf(text).href).toBe(address);
  });

  test('accepts http and https', () => {
    expect(downloadAddressOf('http://10.0.0.5/a.zip').href).toBe('http://10.0.0.5/a.zip');
    expect(downloadAddressOf('HTTPS://Example.org').href).toBe('https://example.org/');
  });
});
