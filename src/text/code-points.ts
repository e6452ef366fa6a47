/**
 * The order of everything that ends in an archive: by Unicode code point, as UTF-8 sorts, the same on every machine and
 * locale.
 */
export function compareCodePoints(a: string, b: string): number {
  for (let index = 0; index < a.length && index < b.length; index++) {
    const [left, right] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (left !== right) return rankOf(left) - rankOf(right);
  }
  return a.length - b.length;
}

/** In UTF-16, which `<` compares, the halves of the code points above U+FFFF stand before U+E000 to U+FFFF. */
function rankOf(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
