import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDataDir, openDataDir } from '../../src/prepare-data/data-dir.ts';
import { createKeptDownloads } from '../../src/prepare-data/kept-downloads.ts';
import { failureOf } from '../helpers/failure.ts';
import { temporaryFolder } from '../helpers/runner.ts';

async function put(path: string, text = 'precious'): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort();
}

/** Both the check and the run must refuse, and neither may have changed anything. */
async function refusalOf(path: string, workspace: string): Promise<string> {
  const before = await filesBelow(workspace);
  const checked = await failureOf(checkDataDir(path, workspace));
  const opened = await failureOf(openDataDir(path, workspace));
  expect(opened).toMatchObject({ code: 'INPUT', message: checked.message });
  expect(await filesBelow(workspace)).toEqual(before);
  return opened.message;
}

describe('a data folder', () => {
  test('is created, also below others', async () => {
    const workspace = temporaryFolder();
    const path = join(workspace, 'out', 'set');
    const dataDir = await openDataDir(path, workspace);
    expect(dataDir).toEqual({ path, downloads: join(path, 'downloads'), results: join(path, 'results') });
    expect((await readdir(path)).sort()).toEqual(['.diatom-actions', 'downloads', 'results']);
  });

  test('that is empty is taken', async () => {
    const workspace = temporaryFolder();
    await mkdir(join(workspace, 'data'));
    await checkDataDir(join(workspace, 'data'), workspace);
    expect(await readdir(join(workspace, 'data'))).toEqual([]);
    await openDataDir(join(workspace, 'data'), workspace);
  });

  test('of an earlier run is emptied, except for downloads that can be resumed', async () => {
    const workspace = temporaryFolder();
    const { path, downloads, results } = await openDataDir(join(workspace, 'data'), workspace);
    await put(join(downloads, 'a.zip'));
    await put(join(downloads, 'folder', 'b.zip'));
    await put(join(downloads, 'c.zip.part'), 'begun');
    await put(join(downloads, 'c.zip.part.json'), '{}');
    await put(join(results, 'train', 'Hannaea', '1.png'));
    await openDataDir(path, workspace);
    expect(await filesBelow(path)).toEqual(['.diatom-actions', 'downloads/c.zip.part', 'downloads/c.zip.part.json']);
    expect(await readFile(join(downloads, 'c.zip.part'), 'utf8')).toBe('begun');
    expect(await readdir(results)).toEqual([]);
  });

  test('of an earlier run keeps what its notes name, unless there is little disk', async () => {
    const workspace = temporaryFolder();
    const { path, downloads } = await openDataDir(join(workspace, 'data'), workspace);
    await put(join(downloads, 'a.zip'), 'abc');
    await put(join(downloads, 'b.zip'));
    const kept = createKeptDownloads(downloads);
    await kept.store('a'.repeat(64), { path: join(downloads, 'a.zip'), sha256: '0', bytes: 3, etag: '"1"' });
    await openDataDir(path, workspace);
    expect((await readdir(downloads)).toSorted()).toEqual(['a.zip', `${'a'.repeat(64)}.kept.json`]);
    expect(await kept.find('a'.repeat(64))).toMatchObject({ path: join(downloads, 'a.zip'), etag: '"1"' });
    await put(join(downloads, 'a.zip'), 'cut short or gone');
    expect(await kept.find('a'.repeat(64))).toBeUndefined();
    await openDataDir(path, workspace, { keepDownloads: false });
    expect(await readdir(downloads)).toEqual([]);
  });

  test('keeps its results for a run that makes none', async () => {
    const workspace = temporaryFolder();
    const { path, downloads, results } = await openDataDir(join(workspace, 'data'), workspace);
    await put(join(downloads, 'a.zip'));
    await put(join(results, 'train', 'Hannaea', '1.png'));
    await openDataDir(path, workspace, { keepResults: true });
    expect(await filesBelow(path)).toEqual(['.diatom-actions', 'results/train/Hannaea/1.png']);
  });

  test('may be reached by a link that stays in the workspace', async () => {
    const workspace = temporaryFolder();
    await mkdir(join(workspace, 'disk'));
    await symlink(join(workspace, 'disk'), join(workspace, 'data'), 'junction');
    await openDataDir(join(workspace, 'data'), workspace);
    expect(await readdir(join(workspace, 'disk'))).toContain('.diatom-actions');
  });

  test('that an earlier run only began with is taken', async () => {
    const workspace = temporaryFolder();
    await put(join(workspace, 'data', '.diatom-actions'));
    await openDataDir(join(workspace, 'data'), workspace);
    expect((await readdir(join(workspace, 'data'))).sort()).toEqual(['.diatom-actions', 'downloads', 'results']);
  });
});

describe('nothing foreign is deleted:', () => {
  test.each([['readme.txt'], ['downloads/a.zip'], ['results/train/x.png'], ['.git/config']])(
    'a folder with %s is refused, and the file named',
    async (file) => {
      const workspace = temporaryFolder();
      await put(join(workspace, 'data', file));
      const message = await refusalOf(join(workspace, 'data'), workspace);
      expect(message).toMatch(/^Input data-dir: the folder .+ holds files that this action did not make \(/);
      expect(message).toContain(`(${file.split('/')[0]})`);
    },
  );

  test('neither is a folder of ours that somebody put a file into', async () => {
    const workspace = temporaryFolder();
    const { path } = await openDataDir(join(workspace, 'data'), workspace);
    await put(join(path, 'thesis.docx'));
    expect(await refusalOf(path, workspace)).toContain('(thesis.docx)');
  });

  test.each(['downloads', 'results'])('a link named %s is not followed', async (name) => {
    const [workspace, elsewhere] = [temporaryFolder(), temporaryFolder()];
    await put(join(elsewhere, 'precious.zip'));
    await put(join(workspace, 'data', '.diatom-actions'));
    await symlink(elsewhere, join(workspace, 'data', name), 'junction');
    expect(await refusalOf(join(workspace, 'data'), workspace)).toContain(`(${name})`);
    expect(await readdir(elsewhere)).toEqual(['precious.zip']);
  });
});

describe('a folder outside the workspace is refused:', () => {
  test.each(['..', '../elsewhere', 'data/../../elsewhere', '/', '.', 'data/..'])('%s', async (input) => {
    const workspace = join(temporaryFolder(), 'workspace');
    await mkdir(workspace);
    const path = join(workspace, input === '/' ? '../../../..' : input);
    const message = await refusalOf(path, workspace);
    expect(message).toBe(
      `Input data-dir is “${path}”, allowed is a folder inside the workspace ${workspace}, and not the workspace itself.`,
    );
  });

  test('a neighbour whose name begins like that of the workspace', async () => {
    const parent = temporaryFolder();
    await mkdir(join(parent, 'work'));
    await mkdir(join(parent, 'work-2'));
    expect(await refusalOf(join(parent, 'work-2'), join(parent, 'work'))).toContain('allowed is a folder inside');
  });

  test('a link that leads out, at the end or on the way', async () => {
    const [workspace, elsewhere] = [temporaryFolder(), temporaryFolder()];
    await symlink(elsewhere, join(workspace, 'link'), 'junction');
    for (const path of ['link', 'link/data', 'link/new/data']) {
      expect(await refusalOf(join(workspace, path), workspace)).toContain('allowed is a folder inside the workspace');
    }
    expect(await readdir(elsewhere)).toEqual([]);
  });
});

describe('what is no folder is refused:', () => {
  test('a file', async () => {
    const workspace = temporaryFolder();
    await put(join(workspace, 'file'));
    expect(await refusalOf(join(workspace, 'file'), workspace)).toMatch(
      /^Input data-dir is “.+”, allowed is a folder\.$/,
    );
  });

  test('a folder below a file', async () => {
    const workspace = temporaryFolder();
    await put(join(workspace, 'file'));
    const { message } = await failureOf(openDataDir(join(workspace, 'file', 'data'), workspace));
    expect(message).toContain(join(workspace, 'file', 'data'));
    expect(await filesBelow(workspace)).toEqual(['file']);
  });
});
