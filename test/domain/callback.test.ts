import { expect, test } from "vitest";
import { parseCallbackUrl } from "../../src/domain/callback.ts";

test.each([
  "http://localhost:8011/webhook/inspector_b",
  "https://example.com",
  "HTTPS://example.com/a?token=x&y=%20",
  "http://[::1]:9000/",
  "http://example.com/users/@me",
])("takes %s", (url) => {
  expect(parseCallbackUrl(url)).toBeInstanceOf(URL);
});

test.each([
  ["relative", "/webhook/a", "absolute"],
  ["without slashes", "http:example.com", "absolute"],
  ["ftp", "ftp://example.com/a", "absolute"],
  ["a script", "javascript:alert(1)", "absolute"],
  ["empty", "", "absolute"],
  ["user info", "http://user:pass@example.com/", "user information"],
  ["user info after a third slash", "http:///user:secret@host/", "user information"],
  ["user info after more slashes", "https://////user@example.com", "user information"],
  ["an empty user info", "http://@example.com/", "user information"],
  ["a fragment", "http://example.com/#part", "fragment"],
  ["an empty fragment", "http://example.com/#", "fragment"],
  ["a blank", "http://example.com/a b", "blanks"],
  ["a line break", "http://exam\nple.com/", "blanks"],
  ["a backslash", "http://example.com\\@evil.example/", "backslashes"],
  ["a lone surrogate", "http://example.com/\ud800", "control characters"],
  ["no host", "http://", "not a valid URL"],
  ["a host name over 253 characters", `http://${"a.".repeat(130)}example/`, "253"],
  ["a bad port", "http://example.com:99999/", "not a valid URL"],
  ["port 0", "http://example.com:0/", "must not have the port 0"],
  ["2,049 characters", `http://example.com/${"a".repeat(2030)}`, "2048"],
])("refuses a URL with %s and says why", (_, url, why) => {
  expect(() => parseCallbackUrl(url)).toThrow(why);
});
