/** Text that is HTML already. Only `html` makes it, so nothing gets into a page unescaped by oversight. */
export interface Html {
  readonly markup: string;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Escapes text for an element's content and for a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

/** A template tag: what is written in the template is HTML, every value put into it is escaped unless it is `Html`. */
export function html(
  parts: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[])[]
): Html {
  const markup = parts.map((part, index) => {
    const value = values[index];
    if (value === undefined) return part;
    if (typeof value === 'string' || typeof value === 'number') return part + escapeHtml(String(value));
    return part + ('markup' in value ? value.markup : value.map((item) => item.markup).join(''));
  });
  return { markup: markup.join('') };
}
