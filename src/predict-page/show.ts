import type { Answer } from './answer.ts';
import type { Model } from './model.ts';

export function element(id: string): HTMLElement;
export function element<T extends HTMLElement>(id: string, kind: new () => T): T;
/** An element of the page, which its HTML has. */
export function element(id: string, kind: new () => HTMLElement = HTMLElement): HTMLElement {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

/** A line of the table of answers. */
export function row(answer: Answer, file: File): HTMLTableRowElement {
  const line = document.createElement('tr');
  const cells =
    'error' in answer
      ? [answer.error, '', '', '']
      : [
          answer.first.label,
          percent(answer.first.probability),
          answer.second.label,
          percent(answer.second.probability),
        ];
  line.append(cell(thumbnail(file)), cell(answer.file), ...cells.map(cell));
  const unknown = 'error' in answer || answer.unknown === true;
  line.append(cell('error' in answer ? 'not read' : unknown ? 'unknown' : ''));
  line.classList.toggle('unknown', unknown);
  return line;
}

/** How many pictures of each class there are. */
export function countsTable(answers: readonly Answer[], model: Model): HTMLTableElement {
  const table = document.createElement('table');
  const given = answers.flatMap((answer) => ('error' in answer ? [] : [answer]));
  const lines = model.classes.map((label) => {
    const of = given.filter(({ first }) => first.label === label);
    return [label, String(of.length), String(of.filter(({ unknown }) => unknown).length)];
  });
  for (const texts of [['Class', 'Pictures', 'of these unknown'], ...lines]) {
    table.insertRow().append(...texts.map(cell));
  }
  return table;
}

function thumbnail(file: File): HTMLElement {
  const picture = document.createElement('img');
  const url = URL.createObjectURL(file);
  picture.alt = '';
  picture.onload = () => URL.revokeObjectURL(url);
  // Such as a TIFF, which most browsers can't show.
  picture.onerror = () => picture.remove();
  picture.src = url;
  return picture;
}

function cell(content: string | HTMLElement): HTMLTableCellElement {
  const made = document.createElement('td');
  made.append(content);
  return made;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
