import type { Fault } from '../schema/yaml-map.ts';
import type { Sections } from './read-settings.ts';

/** What contradicts itself although each value is fine. */
export function clashesOf(_sections: Sections): Fault[] {
  return [];
}
