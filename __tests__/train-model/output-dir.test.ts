import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkOutputDir, openOutputDir, outputFiles } from '../../src/train-model/output-dir.ts';
import { failureOf } from '../helpers/failure.ts';
import { captureOutput, temporaryFolder } from '../helpers/runner.ts';

const MARKER = '.diatom-actions';

async function made(training: readonly unknown[], files: readonly string[]) {
  captureOutput();
  const workspace = temporaryFolder();
  const path = join(workspace, 'model');
  await openOutputDir(path, workspace, training);
  mkdirSync(join(path, 'checkpoint'));
  for (const name of files) writeFileSync(join(path, name), name);
  return { path, again: (next: readonly unknown[]) => openOutputDir(path, workspace, next) };
}

describe('the output folder', () => {
  test('of a training that came to its end is emptied', async () => {
    const { path, again } = await made(['image', 'set'], ['model.pth', 'metrics.json', 'checkpoint/state']);
    await again(['image', 'set']);
    expect(readdirSync(path)).toEqual([MARKER]);
  });

  test('of the same training that was cut short keeps what it needs to go on, but no model', async () => {
    const { path, again } = await made(['image', 'set'], ['model.pth', 'history.csv', 'checkpoint/state']);
    await again(['image', 'set']);
    expect(readdirSync(path).sort()).toEqual([MARKER, 'checkpoint', 'history.csv']);
    expect(existsSync(join(path, 'checkpoint/state'))).toBe(true);
  });

  test('of another training is emptied', async () => {
    const { path, again } = await made(['image', 'set'], ['history.csv', 'checkpoint/state']);
    await again(['image', 'another set']);
    expect(readdirSync(path)).toEqual([MARKER]);
  });

  test('with files of somebody else is refused and left alone', async () => {
    const workspace = temporaryFolder();
    writeFileSync(join(workspace, 'thesis.doc'), 'text');
    mkdirSync(join(workspace, 'data'));
    writeFileSync(join(workspace, 'data', MARKER), 'This folder was made by another action.');
    expect((await failureOf(checkOutputDir(join(workspace, 'data'), workspace))).message).toContain(MARKER);
    expect((await failureOf(checkOutputDir(workspace, workspace))).message).toContain('not the workspace itself');
    const file = await failureOf(checkOutputDir(join(workspace, 'thesis.doc'), workspace));
    expect(file.message).toContain('allowed is a folder');
  });

  test('outside the workspace is refused, also through a link', async () => {
    const [workspace, outside] = [temporaryFolder(), temporaryFolder()];
    symlinkSync(outside, join(workspace, 'model'), 'junction');
    for (const path of [join(outside, 'model'), join(workspace, 'model')]) {
      expect((await failureOf(checkOutputDir(path, workspace))).message).toContain('inside the workspace');
    }
  });
});

test('an artifact gets the files, without hidden ones and links', async () => {
  const { path } = await made([], ['model.pth', 'checkpoint/state', '.secret']);
  symlinkSync(temporaryFolder(), join(path, 'link'), 'junction');
  expect(await outputFiles(path)).toEqual([join(path, 'checkpoint', 'state'), join(path, 'model.pth')]);
});
