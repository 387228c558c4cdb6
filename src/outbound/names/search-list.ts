import { createFileCache } from "./hosts-file.ts";

export interface SearchList {
  /** The absolute names to query for a name, in this order. */
  candidates(name: string): readonly string[];
}

/** As resolv.conf(5) bounds it. */
const SEARCH_DOMAINS_MAX = 6;
const NDOTS_MAX = 15;

/** `search` and `ndots` of resolv.conf(5), which clusters rely on for short names and c-ares' single queries do not apply. */
export function createSearchList(path: string): SearchList {
  const settings = createFileCache(path, parseSearch);
  return {
    candidates(name) {
      const { domains, ndots } = settings() ?? { domains: [], ndots: 1 };
      const dots = name.split(".").length - 1;
      const searched = domains.map((domain) => `${name}.${domain}`);
      return dots >= ndots ? [name, ...searched] : [...searched, name];
    },
  };
}

function parseSearch(text: string): { readonly domains: readonly string[]; readonly ndots: number } {
  let domains: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    // The last of them counts.
    if (keyword === "search" || keyword === "domain") domains = values.filter((domain) => domain !== ".");
    const given = keyword === "options" ? values.find((value) => /^ndots:\d+$/.test(value)) : undefined;
    if (given !== undefined) ndots = Math.min(Number(given.slice("ndots:".length)), NDOTS_MAX);
  }
  return { domains: domains.slice(0, SEARCH_DOMAINS_MAX), ndots };
}
