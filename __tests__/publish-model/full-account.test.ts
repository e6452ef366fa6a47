import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { messageOf } from '../../src/errors.ts';
import { filesOf, foldersOf, modelDir, promoteTask, publishTask, runPublish } from '../helpers/model.ts';
import { PASSWORD, temporaryFolder, USER } from '../helpers/owncloud.ts';

const FOLDER = 'data sets/unpublished/17-model';
const small = (weights: string) =>
  modelDir(weights, { 'model.pth': weights, 'training-images.csv': undefined, 'MODEL_CARD.md': '# Tiny\n' });

/**
 * A server on a copy of `template`, whose account is full from the request on that would be the `room`-th to store something.
 * It is a stand-in: it counts requests and not bytes, and still deletes and renames, as a server with quotas does.
 */
async function fillingServer(template: string, room: number) {
  const directory = await temporaryFolder();
  await cp(template, directory, { recursive: true });
  let left = room;
  const hook = ({ method }: { readonly method: string }) =>
    ['PUT', 'COPY', 'MKCOL'].includes(method) && left-- <= 0 ? { status: 507 } : undefined;
  const server = await startOwncloudServer({ directory, username: USER, password: PASSWORD, hook });
  const giveRoom = () => {
    left = Number.POSITIVE_INFINITY;
  };
  return { ...server, directory, giveRoom };
}

test('an account that fills up at any moment of a publication loses no model and leaves production whole', async () => {
  const template = await temporaryFolder();
  const first = await fillingServer(template, Number.POSITIVE_INFINITY);
  await runPublish({ url: first.url, task: publishTask(await small('first'), 'v1') });
  await first.close();
  const start = first.directory;
  const [v1, old] = [filesOf(start, 'v1'), filesOf(start, 'production')];
  const result = join(start, FOLDER);
  await mkdir(result, { recursive: true });
  await cp(await small('second'), result, { recursive: true });
  const sums = execFileSync('sha256sum', await readdir(result), { cwd: result, encoding: 'utf8' });
  await writeFile(join(result, 'SHA256SUMS'), sums);
  const task = publishTask('', 'v2', { source: { unpublished: FOLDER }, unpublished: FOLDER });

  let failures = 0;
  for (let room = 0, isThrough = false; !isThrough; room++) {
    const server = await fillingServer(start, room);
    const isKept = () =>
      readdir(join(server.directory, FOLDER)).then(
        (names) => names.includes('SHA256SUMS'),
        () => false,
      );
    const failure = await runPublish({ url: server.url, task }).then(
      (outcome) => {
        expect(outcome.promoted, `room ${room}`).toBe(true);
        // Whatever else could not be written is named.
        const warnings = outcome.warnings.filter((warning) => !warning.includes('has no training-images.csv'));
        isThrough = warnings.length === 0;
        for (const warning of warnings) expect(warning).toContain('no space left for this account');
        return undefined;
      },
      (error: unknown) => messageOf(error),
    );
    if (failure !== undefined) {
      failures++;
      expect(failure, `room ${room}`).toMatch(/no space left for this account: delete something there/);
      expect(filesOf(server.directory, 'production'), `room ${room}`).toEqual(old);
      // The model is there: as training left it, or as a whole version.
      const version = filesOf(server.directory, 'v2');
      if (version === undefined) expect(await isKept(), `room ${room}`).toBe(true);
      else expect(version['model.pth'], `room ${room}`).toBe('second');
    }
    expect(filesOf(server.directory, 'v1')).toEqual(v1);
    server.giveRoom();
    const isStored = filesOf(server.directory, 'v2') !== undefined && !(await isKept());
    if (failure !== undefined && isStored) expect(failure).toContain('run with promote-version: v2');
    // Nothing that was begun is in the way of the next run, not even the lock.
    const again = await runPublish({ url: server.url, task: isStored ? promoteTask('v2') : task });
    expect(again.promoted, `room ${room}`).toBe(true);
    expect(filesOf(server.directory, 'production')?.['model.pth']).toBe('second');
    const folders = foldersOf(server.directory).filter((name) => !name.startsWith('production.previous-'));
    expect(folders, `room ${room}`).toEqual(['production', 'v1', 'v2']);
    await server.close();
  }
  expect(failures).toBeGreaterThan(5);
});
