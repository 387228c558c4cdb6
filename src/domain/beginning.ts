/** At most `max` characters (UTF-16 code units). A pair of surrogates is kept or left out whole: half of one is no text. */
export function beginningOf(text: string, max: number): string {
  const cut = text.slice(0, max);
  return text.length > max && /[\uD800-\uDBFF]$/.test(cut) && /^[\uDC00-\uDFFF]/.test(text.slice(max, max + 1))
    ? cut.slice(0, -1)
    : cut;
}
