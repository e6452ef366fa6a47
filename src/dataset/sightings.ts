import { createPackedTexts } from './packed-texts.ts';

/** Remembers where each content was first, and first under each label. */
export function createSightings(sources: readonly { readonly label: string; readonly zipName: string }[]) {
  const firstSource: (number | undefined)[] = [];
  const firstPath: number[] = [];
  const paths = createPackedTexts();
  /** Of contents that lie under further labels: the first place under each of these. */
  const further = new Map<number, Map<string, string>>();
  const labelOf = (source: number) => sources[source]?.label ?? '';

  function firstPlace(content: number): { readonly label: string; readonly place: string } | undefined {
    const source = firstSource[content];
    if (source === undefined) return undefined;
    const label = labelOf(source);
    const path = paths.at(firstPath[content] ?? 0);
    return { label, place: placeOf(sources[source]?.zipName ?? '', path, label) };
  }

  return {
    /** @returns the place of the first image with this content, where it has another label, or under the same label */
    see(content: number, source: number, path: string): { otherLabel?: string; copyOf?: string } {
      const first = firstPlace(content);
      if (!first) {
        firstSource[content] = source;
        firstPath[content] = paths.add(path);
        return {};
      }
      const label = labelOf(source);
      if (first.label === label) return { copyOf: first.place };
      const others = further.get(content) ?? new Map<string, string>();
      further.set(content, others);
      const copyOf = others.get(label);
      if (copyOf === undefined) others.set(label, placeOf(sources[source]?.zipName ?? '', path, label));
      return { otherLabel: first.place, ...(copyOf === undefined ? {} : { copyOf }) };
    },
  };
}

export function placeOf(zipName: string, path: string, label: string): string {
  return `${zipName}: ${path} (label “${label}”)`;
}
