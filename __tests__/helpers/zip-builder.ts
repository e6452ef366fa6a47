import { crc32, deflateRawSync } from 'node:zlib';

/**
 * An entry for `buildZip`. Whatever is not given is right: sizes and checksum follow from `data`. What is given is
 * written as it is, however wrong.
 */
export interface RawEntry {
  readonly name: string | Uint8Array;
  readonly data?: string | Uint8Array;
  /** 0 is stored (default), 8 deflated; with any other the data are written as they are. */
  readonly method?: number;
  /** General purpose flags; default 0x800, a UTF-8 name. */
  readonly flags?: number;
  readonly crc32?: number;
  readonly bytes?: number;
  readonly compressedBytes?: number;
  /** The packed data, instead of those made from `data`. */
  readonly packed?: Uint8Array;
  /** The system in “version made by”: 3 is Unix (default), 0 DOS and Windows, 10 NTFS. */
  readonly madeOn?: number;
  /** The mode of Unix, in the upper half of the external attributes; default 0100644. */
  readonly mode?: number;
  readonly extra?: Uint8Array;
  /** What the local header says instead. */
  readonly local?: {
    readonly name?: string | Uint8Array;
    readonly method?: number;
    readonly flags?: number;
    readonly crc32?: number;
    readonly bytes?: number;
    readonly compressedBytes?: number;
    readonly extra?: Uint8Array;
    readonly signature?: number;
  };
  /** Checksum and sizes follow the data (flag 8), the local header has zeros. */
  readonly descriptor?: boolean;
  /** Sizes and offset of the directory stand in a zip64 field. */
  readonly zip64?: boolean;
  /** The directory points here instead of at a local header of its own, and none is written. */
  readonly offset?: number;
}

export interface RawZip {
  readonly entries: readonly RawEntry[];
  readonly comment?: string;
  /** What the end record says instead. */
  readonly end?: {
    readonly entries?: number;
    readonly disk?: number;
    readonly directoryOffset?: number;
  };
  /** Writes a zip64 end record and locator; `disks` is the locator's “total number of disks” (OneDrive writes 0). */
  readonly zip64?: { readonly disks?: number; readonly disk?: number; readonly offset?: number };
}

/** Little-endian numbers of the given widths in bytes, one after the other. */
export function numbers(...fields: readonly (readonly [width: 1 | 2 | 4 | 8, value: number])[]): Buffer {
  return Buffer.concat(
    fields.map(([width, value]) => {
      const field = Buffer.alloc(8);
      field.writeBigUInt64LE(BigInt(value));
      return field.subarray(0, width);
    }),
  );
}

/** An extra field (APPNOTE.TXT 4.5.1). */
export function extraField(id: number, data: Uint8Array): Buffer {
  return Buffer.concat([numbers([2, id], [2, data.length]), data]);
}

/** A zip, byte by byte (APPNOTE.TXT 4.3), with every lie that it is asked for. */
export function buildZip({ entries, comment = '', end = {}, zip64 }: RawZip): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  const put = (part: Buffer) => {
    parts.push(part);
    position += part.length;
  };

  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const data = Buffer.from(entry.data ?? '');
    const method = entry.method ?? 0;
    const packed = Buffer.from(entry.packed ?? (method === 8 ? deflateRawSync(data) : data));
    const flags = (entry.flags ?? 0x800) | (entry.descriptor ? 8 : 0);
    const crc = entry.crc32 ?? crc32(data);
    const bytes = entry.bytes ?? data.length;
    const compressedBytes = entry.compressedBytes ?? packed.length;
    const offset = entry.offset ?? position;
    if (entry.offset === undefined) {
      const { local = {}, descriptor } = entry;
      const localName = Buffer.from(local.name ?? name);
      const localExtra = Buffer.from(local.extra ?? '');
      put(
        Buffer.concat([
          numbers([4, local.signature ?? 0x04034b50], [2, 20], [2, local.flags ?? flags], [2, local.method ?? method]),
          numbers([2, 0], [2, 0x21], [4, local.crc32 ?? (descriptor ? 0 : crc)]),
          numbers([4, local.compressedBytes ?? (descriptor ? 0 : compressedBytes)]),
          numbers([4, local.bytes ?? (descriptor ? 0 : bytes)], [2, localName.length], [2, localExtra.length]),
          localName,
          localExtra,
          packed,
        ]),
      );
      if (descriptor) put(numbers([4, 0x08074b50], [4, crc], [4, compressedBytes], [4, bytes]));
    }
    const wide = entry.zip64 ? extraField(1, numbers([8, bytes], [8, compressedBytes], [8, offset])) : Buffer.alloc(0);
    const extra = Buffer.concat([wide, entry.extra ?? Buffer.alloc(0)]);
    const narrow = (value: number) => (entry.zip64 ? 0xffffffff : value);
    directory.push(
      Buffer.concat([
        numbers([4, 0x02014b50], [2, ((entry.madeOn ?? 3) << 8) | 45], [2, 20], [2, flags], [2, method]),
        numbers([2, 0], [2, 0x21], [4, crc], [4, narrow(compressedBytes)], [4, narrow(bytes)]),
        numbers([2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0]),
        numbers([4, (entry.mode ?? 0o100644) * 2 ** 16], [4, narrow(offset)]),
        name,
        extra,
      ]),
    );
  }

  const directoryOffset = end.directoryOffset ?? position;
  const directoryBytes = directory.reduce((sum, record) => sum + record.length, 0);
  const count = end.entries ?? entries.length;
  for (const record of directory) put(record);
  if (zip64) {
    const zip64End = zip64.offset ?? position;
    put(
      Buffer.concat([
        numbers([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, zip64.disk ?? 0], [4, 0], [8, count], [8, count]),
        numbers([8, directoryBytes], [8, directoryOffset]),
        numbers([4, 0x07064b50], [4, 0], [8, zip64End], [4, zip64.disks ?? 1]),
      ]),
    );
  }
  const small = (value: number, max: number) => (zip64 ? max : value);
  put(
    Buffer.concat([
      numbers([4, 0x06054b50], [2, end.disk ?? 0], [2, 0], [2, small(count, 0xffff)], [2, small(count, 0xffff)]),
      numbers([4, small(directoryBytes, 0xffffffff)], [4, small(directoryOffset, 0xffffffff)], [2, comment.length]),
      Buffer.from(comment),
    ]),
  );
  return Buffer.concat(parts);
}
