import { expect } from 'vitest';
import type { Lab, Month, Start } from './lab.ts';
import { archives, changesOf, imagesOf, known, production, versions } from './records.ts';
import { type Changes, changesSaid, errorsOf } from './said.ts';

/** All that a run may change. */
export async function stateOf({ server: { directory } }: Lab) {
  const current = await production(directory).catch(() => undefined);
  return { archives: await archives(directory), versions: await versions(directory), production: current };
}

/**
 * A run that must make a data set and a model of it, bring this into production, and say so.
 *
 * @param changes since the data set before; without them it is the first
 */
export async function expectNewModel(lab: Lab, changes: Changes | undefined, options?: Start): Promise<Month> {
  const before = await stateOf(lab);
  const month = await lab.start(options);
  expect(errorsOf(month)).toEqual([]);
  expect(month.exitCode).toBe(0);
  const { archives, versions, production } = await stateOf(lab);
  expect(archives).toEqual([...before.archives, expect.any(String)]);
  expect(versions).toEqual([...before.versions, production]);
  expect(month.log).toContain(`${production} is in production now.`);
  await expectChangesSaid(lab, month, { base: before.archives.at(-1), changes });
  return month;
}

/** A run must say on which data set it follows, and what has changed; so must the archive that it has made. */
export async function expectChangesSaid(
  { server: { directory } }: Lab,
  month: Month,
  { base, changes }: { readonly base: string | undefined; readonly changes: Changes | undefined },
): Promise<void> {
  if (base === undefined || changes === undefined) {
    expect([base, changes]).toEqual([undefined, undefined]);
    expect(month.log).toContain('There is no data set before: every image is new.');
    return;
  }
  const images = await known(directory, base);
  expect(month.log).toContain(`Sides are kept of ${images} images that “${base}” lists.`);
  expect(changesSaid(month)).toEqual(changes);
  const archive = (await archives(directory)).at(-1) ?? '';
  expect(await changesOf(directory, archive)).toEqual(changes);
}

/** A run that must end red, and leave everything as it was. */
export async function expectRed(lab: Lab, options?: Start): Promise<string[]> {
  const before = await stateOf(lab);
  const month = await lab.start(options);
  expect(month.exitCode).toBe(1);
  expect(await stateOf(lab)).toEqual(before);
  const errors = errorsOf(month);
  // Data sets and models may be on two servers: each is checked, and each says what is wrong.
  expect([1, 2]).toContain(errors.length);
  return errors;
}

/** A run that must store a version, keep it out of production, and say why. */
export async function expectRefused(
  lab: Lab,
  options?: Start,
): Promise<{ readonly error: string; readonly month: Month }> {
  const before = await stateOf(lab);
  const month = await lab.start(options);
  expect(month.exitCode).toBe(1);
  const after = await stateOf(lab);
  expect(after.versions).toEqual([...before.versions, expect.any(String)]);
  expect(after.production).toBe(before.production);
  const [error = '', ...others] = errorsOf(month);
  expect(others).toEqual([]);
  expect(error).toContain(`The version ${after.versions.at(-1)} is kept`);
  return { error, month };
}

/** The images of the newest data set. */
export async function newest({ server: { directory } }: Lab) {
  return imagesOf(directory, (await archives(directory)).at(-1) ?? '');
}
