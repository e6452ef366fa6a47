import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { messageOf } from '../../src/errors.ts';
import { fileText, readSettings } from '../../src/settings/read-settings.ts';
import { UsageError } from './options.ts';

/** A settings file on a person's own machine. */
export interface OwnSettings {
  /** Inputs of prepare-data. */
  readonly data: Readonly<Record<string, string>>;
  /** Where the file list is: a path, or the text that a secret has. */
  readonly fileList: Readonly<Record<string, string>>;
  /** Inputs of publish-model but the first account's password; `undefined` where nothing is published. */
  readonly publish: Readonly<Record<string, string>> | undefined;
  /** What a model must reach to be published; `''` for nothing. */
  readonly gate: string;
  /** The environment variable with the password. */
  readonly passwordVariable: string;
  /** What the workflows would refuse, who know secrets by their own names; `undefined` for nothing. */
  readonly refusedOnGithub: string | undefined;
}

/** The folder that the person is in: npm runs scripts in the checkout, and says here where it was called. */
export function callersFolder(): string {
  return process.env['INIT_CWD'] ?? process.cwd();
}

/**
 * Reads a settings file. `secret NAME` is the environment variable NAME here.
 *
 * @param hasList whether the person names another file list
 * @throws UsageError when there is no such file, or a variable is missing
 * @throws DiatomError `INPUT` with all that is wrong in it
 */
export function readOwnSettings(path: string, hasList: boolean, env: NodeJS.ProcessEnv = process.env): OwnSettings {
  const file = resolve(callersFolder(), path);
  if (!existsSync(file)) throw new UsageError(`There is no settings file ${file}.`);
  // Paths in it count from the top folder of the repository.
  const folder = basename(dirname(file)) === '.github' ? dirname(dirname(file)) : dirname(file);
  const readList = (list: string) => {
    const found = resolve(folder, list);
    return existsSync(found) ? readFileSync(found) : undefined;
  };
  const options = { where: path, isPublic: false, inWorkflow: false, readList };
  const settings = fileText(readFileSync(file), path);
  const { parts, secrets } = readSettings(settings, options);
  const { 'file-list': text, 'file-list-path': list, ...data } = parts.data;
  const inFile = text ? { 'file-list': text } : list ? { 'file-list-path': resolve(folder, list) } : undefined;
  const variable = secrets.get('file-list') ?? 'FILE_LIST';
  const models = secrets.get('models-password');
  return {
    data,
    fileList: hasList ? {} : (inFile ?? { 'file-list': fromVariable(variable, 'data.files', env) }),
    publish:
      parts.publish['model-name'] === undefined
        ? undefined
        : {
            settings: JSON.stringify(parts.publish),
            ...(models === undefined ? {} : { 'models-password': fromVariable(models, 'publish.password', env) }),
          },
    gate: parts.publish['gate'] ?? '',
    passwordVariable: secrets.get('owncloud-password') ?? 'OWNCLOUD_PASSWORD',
    refusedOnGithub: refusalOf(() => readSettings(settings, { ...options, inWorkflow: true })),
  };
}

function refusalOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function fromVariable(name: string, key: string, env: NodeJS.ProcessEnv): string {
  const value = env[name];
  if (value) return value;
  throw new UsageError(
    `${key} is the secret ${name}: on your own machine that is the environment variable ${name}, which is not set.${key === 'data.files' ? ' Or name a list that is here: --file-list my-list.csv' : ''}`,
  );
}
