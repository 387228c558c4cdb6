/** Parts, such as prepared statements, that are each made when first asked for: most are not needed at the start. */
export function asNeeded<Parts extends object>(makers: {
  readonly [Name in keyof Parts]: () => Parts[Name];
}): Readonly<Parts> {
  const parts = {} as Parts;
  for (const name of Object.keys(makers) as (keyof Parts)[]) {
    const get = (): Parts[keyof Parts] => {
      const value = makers[name]();
      Object.defineProperty(parts, name, { value });
      return value;
    };
    Object.defineProperty(parts, name, { get, configurable: true, enumerable: true });
  }
  return parts;
}
