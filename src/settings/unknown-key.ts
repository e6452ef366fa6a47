import { ACTION_INPUTS, INPUT_SECTIONS, SECTION_NAMES, SECTIONS } from '../schema/sections.ts';
import { didYouMean } from '../text/nearest.ts';
import { RENAMED } from './old-variables.ts';

/** What is said about a key that a section does not have. */
export function unknownKey(section: string, key: string, allowed: readonly string[]): string {
  return `${section}.${key}: there is no such key.${insteadOf(key, section) || didYouMean(key, allowed) || ` Allowed are ${allowed.join(', ')}.`}`;
}

/** What is said about a word at the top of the file that is no section. */
export function unknownSection(key: string): string {
  return `there is no section ${key}.${insteadOf(key) || `${didYouMean(key, SECTION_NAMES)} Allowed are ${SECTION_NAMES.join(', ')}.`}`;
}

/** Where what somebody means stands: under another name, in another section, or in no file at all. */
function insteadOf(name: string, section?: string): string {
  const places = placesOf(name.toLowerCase().replaceAll('_', '-'));
  const here = places.filter((place) => place.section === section);
  const [first, ...others] = here.length > 0 ? here : places;
  if (first !== undefined) {
    return ` It is ${[first, ...others].map((place) => `${place.key} in the section ${place.section}`).join(', or ')}.`;
  }
  const isOfRun = Object.values(ACTION_INPUTS).some((inputs) => Object.hasOwn(inputs, name));
  return isOfRun ? ' It belongs to one run, and not to the settings: it is an input of the workflow or action.' : '';
}

/** All places of a name, which may be a key’s, an input’s or that of a variable of before. */
function placesOf(name: string): { readonly section: string; readonly key: string }[] {
  if (name === 'file-list-path') return placesOf('file-list');
  const [renamed, key] = RENAMED[name.toUpperCase().replaceAll('-', '_')]?.split('.') ?? [];
  if (renamed !== undefined && key !== undefined) return [{ section: renamed, key }];
  return INPUT_SECTIONS.flatMap((section) =>
    [...SECTIONS[section]].flatMap(([key, { input }]) => (key === name || input === name ? [{ section, key }] : [])),
  );
}
