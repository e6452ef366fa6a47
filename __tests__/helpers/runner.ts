import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { readActionMetadata } from '../../scripts/action-metadata.ts';

/** A folder that is gone after the test; its path holds no link. */
export function temporaryFolder(name = 'runner-test'): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `${name}-`)));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Sets variables of this process's environment for the test; `undefined` takes one away. */
export function setEnvironment(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

/** Sets inputs of the step as a runner does. */
export function setInputs(inputs: Readonly<Record<string, string>>): void {
  setEnvironment(
    Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
  );
}

/** All inputs of an action as a runner sets them where a workflow leaves them out. */
export function defaultsOf(action: string): Record<string, string> {
  const declared = Object.entries(readActionMetadata(action).inputs);
  return Object.fromEntries(declared.map(([name, input]) => [name, input.default ?? '']));
}

/** What this process prints from now to the end of the test, and the exit code it would end with. */
export function captureOutput(): { text(): string; exitCode(): typeof process.exitCode } {
  const printed: string[] = [];
  const { exitCode } = process;
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    printed.push(String(chunk));
    return true;
  });
  onTestFinished(() => {
    write.mockRestore();
    process.exitCode = exitCode;
  });
  return { text: () => printed.join(''), exitCode: () => process.exitCode };
}

/** An empty file whose path is in a variable, such as `GITHUB_OUTPUT`, and its reader. */
export function commandFile(variable: string): () => string {
  const path = join(temporaryFolder(), variable);
  writeFileSync(path, '');
  setEnvironment({ [variable]: path });
  return () => readFileSync(path, 'utf8');
}
