import { hash } from 'node:crypto';
import { type Html, html } from './html.ts';
import { REPORT_STYLE } from './report-style.ts';

/**
 * A page for people that stands alone: no network, pictures embedded, equal bytes for equal content. Its content security
 * policy lets it load nothing and run no other script, whatever a file name in it may hold.
 */
export function htmlPage(title: string, main: Html, script = ''): string {
  const sum = `'sha256-${hash('sha256', script, 'base64')}'`;
  const [policy, element] =
    script === '' ? ['', html``] : [` script-src ${sum};`, html`<script>${{ markup: script }}</script>\n`];
  const page = html`<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline';${policy} base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${{ markup: REPORT_STYLE }}</style>
</head>
<body>
<main>
${main}
</main>
${element}</body>
</html>
`;
  return page.markup;
}

/** A picture as what an `img` shows without asking anybody for it. */
export function pictureSource(mediaType: string, data: Uint8Array): string {
  return `data:${mediaType};base64,${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')}`;
}

/** A name that may be broken after underscores, hyphens and dots, where browsers would break it only in an emergency. */
export function breakable(name: string): Html[] {
  return name.split(/(?<=[_.-])(?=[^_.-])/).map((part, index) => (index === 0 ? html`${part}` : html`<wbr>${part}`));
}

/** 1234567 as 1,234,567, whatever the machine's language. */
export function number(count: number): string {
  return count.toLocaleString('en-GB');
}

export function images(count: number): string {
  return count === 1 ? '1 image' : `${number(count)} images`;
}
