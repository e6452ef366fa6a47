import type { Model } from './model.ts';
import { softmax } from './prepare-image.ts';

/** What the model says to a picture, or why it can't say anything. */
export type Answer =
  | {
      readonly file: string;
      readonly first: Guess;
      readonly second: Guess;
      /** `undefined` where the model has no threshold. */
      readonly unknown: boolean | undefined;
    }
  | { readonly file: string; readonly error: string };

export interface Guess {
  readonly label: string;
  readonly probability: number;
}

export function answerOf(file: string, outputs: ArrayLike<number>, model: Model): Answer {
  const guesses = softmax(outputs, model.temperature)
    .map((probability, index) => ({ label: model.classes[index] ?? '', probability }))
    .sort((a, b) => b.probability - a.probability);
  const first = guesses[0] ?? { label: '', probability: 0 };
  return { file, first, second: guesses[1] ?? first, unknown: isUnknown(first.probability, model) };
}

/** `undefined` where nobody has looked for a threshold. Where none was found, no answer is sure enough. */
function isUnknown(probability: number, { threshold, wantedPrecision }: Model): boolean | undefined {
  if (threshold !== null) return probability < threshold;
  return wantedPrecision === null ? undefined : true;
}

const HEAD = ['file', 'class', 'probability', 'second_class', 'second_probability', 'unknown', 'error'];

/** The table that predict.py writes. */
export function tableCsv(answers: readonly Answer[]): string {
  const rows = answers.map((answer) =>
    'error' in answer
      ? [answer.file, '', '', '', '', '', answer.error]
      : [
          answer.file,
          answer.first.label,
          answer.first.probability.toFixed(6),
          answer.second.label,
          answer.second.probability.toFixed(6),
          answer.unknown === undefined ? '' : String(answer.unknown),
          '',
        ],
  );
  return [HEAD, ...rows].map((row) => `${row.map(field).join(',')}\n`).join('');
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
