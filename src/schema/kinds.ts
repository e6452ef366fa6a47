/** A piece of a JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Who gives a value: the settings file, whoever starts a run or another step of it, or a secret of this name. */
export type Giver = 'settings' | 'run' | { readonly secret: string };

/** What an input takes. The actions, the settings file and its JSON Schema all know it from here. */
export interface Kind {
  /** What it is when nobody sets it; `''` for nothing. */
  readonly fallback: string;
  readonly giver: Giver;
  /** Completes “allowed is …”. */
  readonly allowed: string;
  accepts(text: string): boolean;
  /** What is wrong in a text, where that tells more than what is allowed; `undefined` for nothing. */
  readonly fault?: ((text: string) => string | undefined) | undefined;
  readonly json: JsonSchema;
  /** In a settings file it may be a list, whose texts are joined so; or a map, each pair a line `NAME=value`. */
  readonly form?: { readonly list: string } | 'pairs' | undefined;
  /** Only for what no action.yml describes. */
  readonly description?: string | undefined;
}

/** The inputs of an action by their names. */
export type Inputs = Readonly<Record<string, Kind>>;

interface TextOptions {
  readonly fallback?: string;
  /** An empty text is always fine. */
  readonly pattern?: RegExp;
  readonly accepts?: (text: string) => boolean;
  readonly fault?: Kind['fault'];
  readonly allowed?: string;
  readonly form?: Kind['form'];
  readonly description?: string;
}

export function text({
  fallback = '',
  pattern,
  accepts,
  fault,
  allowed = 'a text',
  form,
  description,
}: TextOptions = {}): Kind {
  return {
    fallback,
    giver: 'settings',
    allowed,
    accepts: (value) =>
      value === '' || ((pattern?.test(value) ?? true) && (accepts?.(value) ?? true) && fault?.(value) === undefined),
    fault,
    json: { type: ['string', 'number', 'boolean'] },
    form,
    description,
  };
}

export interface Words<Word extends string> extends Kind {
  readonly words: readonly Word[];
}

/** One of a few words. */
export function words<const Word extends string>(allowed: readonly Word[], fallback: Word | '' = ''): Words<Word> {
  return {
    words: allowed,
    fallback,
    giver: 'settings',
    allowed: allowed.join(' or '),
    accepts: (value) => allowed.some((word) => word === value) || (fallback === '' && value === ''),
    // YAML reads true and false as truth values.
    json: { enum: allowed.flatMap((word) => (word === 'true' || word === 'false' ? [word === 'true', word] : [word])) },
  };
}

/** `true` or `false`, nothing else: a typing error must not silently mean one of them. */
export function truth(fallback: 'true' | 'false'): Words<'true' | 'false'> {
  return { ...words(['true', 'false'], fallback), json: { type: 'boolean' } };
}

export interface Whole extends Kind {
  readonly min: number;
  readonly max: number;
}

/** A whole number, bounds included. */
export function whole(min: number, max: number, fallback = ''): Whole {
  return {
    min,
    max,
    fallback,
    giver: 'settings',
    allowed: `a whole number from ${min} to ${max}`,
    accepts: (value) => value === '' || (/^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max),
    json: { type: 'integer', minimum: min, maximum: max },
  };
}

/** A number above 0. */
export function decimal(max: number, fallback = ''): Kind & { readonly max: number } {
  return {
    max,
    fallback,
    giver: 'settings',
    allowed: `a number above 0 and up to ${max}, such as 1.5`,
    accepts: (value) =>
      value === '' || (/^\d{1,5}(\.\d{1,6})?$/.test(value) && Number(value) > 0 && Number(value) <= max),
    json: { type: 'number', exclusiveMinimum: 0, maximum: max },
  };
}

/** A part of 1, and not percent. */
export function share(max: number, fallback: string): Kind {
  return {
    fallback,
    giver: 'settings',
    allowed: `a number from 0 to ${max}, such as ${fallback} for ${100 * Number(fallback)} percentage points`,
    accepts: (value) => /^[01]?(\.\d{1,6})?$/.test(value) && value !== '' && Number(value) <= max,
    json: { type: 'number', minimum: 0, maximum: max },
  };
}

/** The same, given by whoever starts a run or by another step: no settings file has it. */
export function ofRun<Some extends Kind>(kind: Some): Some {
  return { ...kind, giver: 'run' };
}

/** A text that stands nowhere but in a secret of this name. */
export function secret(name: string): Kind {
  return { ...text({ allowed: `secret ${name}` }), giver: { secret: name } };
}

export function described<Some extends Kind>(description: string, kind: Some): Some {
  return { ...kind, description };
}

/** A check that throws for what is wrong. */
export function without(failure: (value: string) => unknown): (value: string) => boolean {
  return (value) => {
    try {
      failure(value);
      return true;
    } catch {
      return false;
    }
  };
}
