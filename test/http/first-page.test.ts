import { expect, test } from "vitest";
import { startServer } from "../support/server.ts";

test("GET / is a page that says what this is, where the endpoint is and what to do next, and loads nothing", async () => {
  const server = await startServer({ env: { AUTH_TOKENS: "alice:alices-access-token-0123456789" } });
  const response = await fetch(server.url, { headers: { Accept: "text/html,*/*;q=0.8" } });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  const page = await response.text();
  expect(page).toContain(`The MCP endpoint is <code>http://localhost:${server.port}/mcp/</code>`);
  expect(page).toContain("register_callback");
  expect(page).toContain("Authorization: Bearer");
  expect(page).not.toMatch(/<script|<link|src=|alices/);
  const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, path = ""]) => path);
  for (const path of links.filter((one) => !one.startsWith("/webhook")))
    expect([path, (await fetch(server.url + path)).status]).toEqual([path, 200]);
});

test("what stands in PUBLIC_URL is text on the page, never markup", async () => {
  const server = await startServer({ env: { PUBLIC_URL: "https://x.example/<b>&'" }, reportsPort: true });
  const page = await (await fetch(server.url)).text();
  expect(page).not.toContain("<b>");
});
