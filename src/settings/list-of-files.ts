import { isSeq } from 'yaml';
import { LINK_USER, parseFileList } from '../dataset/file-list.ts';
import { messageOf } from '../errors.ts';
import { isNode, type Pair, textOf, type YamlText } from '../schema/yaml-map.ts';
import type { Fault } from '../schema/yaml-place.ts';
import { secretName, whyNoSecret } from './secrets.ts';

/** What `files` of the section `data` says, as inputs of the action; neither for a secret. */
export interface Files {
  readonly 'file-list'?: string;
  readonly 'file-list-path'?: string;
}

export interface FilesOptions {
  /** Whether everybody can read the repository, and so what stands in it. */
  readonly isPublic: boolean;
  readonly inWorkflow: boolean;
  /** Reads a list in the repository; `undefined` when it is not there. */
  readonly readList?: ((path: string) => Uint8Array | undefined) | undefined;
}

const ALLOWED =
  'allowed is “secret FILE_LIST”, the path of a CSV or JSON file in the repository, or the list itself, each entry of which begins with “- file_url:”.';

/** Reads `files`: the list itself, the path of one, or the name of the secret. */
export function readFiles(pair: Pair, yaml: YamlText, options: FilesOptions): { files: Files; faults: Fault[] } {
  // What a list with faults of syntax says, nobody knows.
  if (isSeq(pair.value) && yaml.faults.length > 0) return { files: {}, faults: [] };
  if (isSeq(pair.value)) {
    const items = pair.value.items.map((item) => yaml.placeOf(isNode(item) ? item : null));
    const text = JSON.stringify(yaml.plain(pair.value));
    return { files: { 'file-list': text }, faults: faultsOfList(text, 'data.files', pair, items, options) };
  }
  const found = textOf(pair.value, undefined);
  const at = (sentence: string): Fault[] => [{ ...pair.valuePlace, sentence: `data.files: ${sentence}` }];
  if ('found' in found) return { files: {}, faults: at(`${found.found}; ${ALLOWED}`) };
  if (secretName(found.text) !== undefined) {
    const why = whyNoSecret(found.text, 'FILE_LIST', options.inWorkflow);
    return { files: {}, faults: why === undefined ? [] : at(why) };
  }
  const path = found.text;
  if (/\$\{\{|^\W*(secrets?\W+)?FILE_LIST\W*$/i.test(path)) {
    return { files: {}, faults: at(whyNoSecret(path, 'FILE_LIST', options.inWorkflow) ?? ALLOWED) };
  }
  if (path === '' || path.includes('\n') || /:\/\//.test(path)) {
    return { files: {}, faults: at(ALLOWED) };
  }
  const content = options.readList?.(path);
  if (options.readList !== undefined && content === undefined) {
    return { files: {}, faults: at(`there is no file ${path} in the repository.`) };
  }
  const faults = content === undefined ? [] : faultsOfList(content, path, pair, [], options);
  return { files: { 'file-list-path': path }, faults };
}

/** All that is wrong with a list, where its entry stands. */
function faultsOfList(
  text: string | Uint8Array,
  where: string,
  pair: Pair,
  items: readonly Omit<Fault, 'sentence'>[],
  { isPublic }: FilesOptions,
): Fault[] {
  const placeOf = (entry: number) => items[entry - 1] ?? pair.valuePlace;
  try {
    const list = parseFileList(text, where);
    return list.flatMap(({ fileUrl }, index) => {
      const why = whyNotHere(new URL(fileUrl), isPublic);
      return why === undefined ? [] : [{ ...placeOf(index + 1), sentence: `data.files, entry ${index + 1}: ${why}` }];
    });
  } catch (error) {
    const [head = '', ...lines] = messageOf(error).split('\n- ');
    return (lines.length === 0 ? [head] : lines).map((line) => ({
      ...placeOf(Number(/^entry (\d+)/.exec(line)?.[1])),
      sentence: `data.files: ${line}`,
    }));
  }
}

/** Why an address can't stand in the repository; `undefined` when it can. */
function whyNotHere(url: URL, isPublic: boolean): string | undefined {
  const into = 'Put the list into the secret FILE_LIST, and write “files: secret FILE_LIST”';
  if (url.username === LINK_USER && url.password !== '') {
    return `it has a password, and the repository is no place for one. ${into}; if this was pushed, change the password: it is known.`;
  }
  if (!isPublic || !hasToken(url)) return undefined;
  return `the link opens its files to everybody who has it, and this repository is public. ${into}.`;
}

/** Whether whoever has the address has the file: a share link, a signed address, a password in it. */
export function hasToken(url: URL): boolean {
  const { username, password, pathname, hostname, searchParams } = url;
  if (username !== '' || password !== '') return true;
  if (/\/(s|f|d|sh|scl|file\/d)\/[\w-]{6,}|\/:[a-z]:\/|\/public\.php\/dav\/files\/|\/shared\/static\//.test(pathname))
    return true;
  if (/(^|\.)(drive|docs)\.(usercontent\.)?google\.com$|(^|\.)sharepoint\.com$|(^|\.)1drv\.ms$/.test(hostname))
    return true;
  return [...searchParams].some(([name, value]) => /token|key|sig|secret|password|auth/i.test(name) && value !== '');
}
