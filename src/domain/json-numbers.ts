const SHOWN_CHARS_MAX = 40;
/** A whole number with more digits is infinite or padded with zeros. */
const WHOLE_CHARS_MAX = 400;
/** Nothing shorter can be a number that is lost: most texts have neither so many digits in a row nor an exponent. */
const MAY_BE_LOST = /\d{16}|\d[eE][+-]?\d/;
const STRINGS_AND_NUMBERS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

/**
 * The first number in a JSON text that JavaScript would change beyond the usual rounding of fractions: 1e400 (infinite), 1e-400 (zero),
 * 9007199254740993 (its neighbour). Shortened, for people; null: there is none. `text` must be JSON.
 */
export function lostNumberIn(text: string): string | null {
  if (!MAY_BE_LOST.test(text)) return null;
  for (const [token] of text.matchAll(STRINGS_AND_NUMBERS)) {
    if (token.startsWith('"') || isKept(token)) continue;
    return token.length > SHOWN_CHARS_MAX ? `${token.slice(0, SHOWN_CHARS_MAX)}…` : token;
  }
  return null;
}

/** A fraction is rounded, as JSON readers do (RFC 8259, section 6); a whole number is another number if it is. */
function isKept(token: string): boolean {
  const value = Number(token);
  const isZero = !/[1-9]/.test(token.replace(/[eE].*/s, ""));
  if (value === 0) return isZero;
  if (Number.isSafeInteger(Math.trunc(value))) return true;
  if (!Number.isFinite(value) || token.length > WHOLE_CHARS_MAX) return false;
  return decimalOf(token) === decimalOf(String(value));
}

/** The same text for the same number: its digits without zeros around them, and the power of ten they are multiplied by. */
function decimalOf(token: string): string {
  const [, whole = "", fraction = "", exponent = "0"] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  return `${significant}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length)}`;
}
