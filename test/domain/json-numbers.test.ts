import { expect, test } from "vitest";
import { lostNumberIn } from "../../src/domain/json-numbers.ts";

test.each([
  "1e400",
  "-1e400",
  "1.5E+309",
  "9007199254740993",
  "-9007199254740993",
  "9007199254740993.0",
  "900719925474099.3e1",
  "123456789012345678901234567890",
  "12345678901234567.89",
  "1e-400",
  "0.0001e-400",
])("%s is a number that would be lost, wherever it stands", (number) => {
  expect(lostNumberIn(number)).toBe(number);
  expect(lostNumberIn(`{"a":["9007199254740993",{"b \\" 1e400":${number}}]}`)).toBe(number);
});

test.each([
  "0",
  "-0",
  "0e400",
  "0.000000000000000000000",
  "1e3",
  "1e300",
  "1.7976931348623157e308",
  "5e-324",
  "9007199254740991",
  "9007199254740992",
  "18014398509481984",
  "1000000000000000000000",
  "3.141592653589793238462643383279",
  "0.30000000000000004441",
  "1764275000.1234567",
])("%s is kept, or rounded as fractions are", (number) => {
  expect(lostNumberIn(`{"a":${number}}`)).toBeNull();
});

test("numbers in texts and keys are none", () => {
  expect(lostNumberIn(String.raw`{"9007199254740993":"1e400","\\":"\"","x":"9007199254740993\\"}`)).toBeNull();
});

test("a long number is shortened", () => {
  expect(lostNumberIn(`[${"9".repeat(100)}]`)).toBe(`${"9".repeat(40)}…`);
});

test.each([
  ["digits", "9".repeat(1_000_000), true],
  ["a whole number and zeros", `12345678901234567.${"0".repeat(500_000)}1`, true],
  ["a fraction", `0.${"3".repeat(1_000_000)}`, false],
  ["an exponent", `1e${"9".repeat(1_000_000)}`, true],
  ["escapes", `"1e4${String.raw`\n`.repeat(500_000)}"`, false],
  ["many numbers", `${"1e2,".repeat(250_000)}1`, false],
])("a megabyte of %s is judged too", (_, items, isLost) => {
  expect(lostNumberIn(`[${items}]`) !== null).toBe(isLost);
});
