import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { parseJsonAs } from '../model/parse-json.ts';

const classesSchema = z.array(z.string().check(z.minLength(1))).check(z.minLength(1));

/**
 * Reads a classes.json: the labels in the order of the model's outputs.
 *
 * @throws DiatomError `MODEL` naming `file`, also for a label that is there twice
 */
export function parseClasses(text: string, file: string): string[] {
  const classes = parseJsonAs(classesSchema, text, file);
  const twice = classes.find((label, index) => classes.indexOf(label) !== index);
  if (twice === undefined) return classes;
  throw new DiatomError(
    'MODEL',
    `${file} has the label “${twice}” twice: every output of a model needs its own label.`,
  );
}
