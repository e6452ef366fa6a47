import type { SectionName } from '../schema/sections.ts';
import type { Place } from '../schema/yaml-place.ts';

/** What stands in one section: values of inputs, and where each stands. */
export interface SectionValues {
  readonly inputs: ReadonlyMap<string, string>;
  /** Names of secrets by the input that they belong to. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly places: ReadonlyMap<string, Place & { readonly key: string }>;
}

export type Sections = Readonly<Record<SectionName, SectionValues>>;
