// Writes what packages of others count and choose, one line a case: `scripts/counterparts` runs this.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(join(process.cwd(), "package.json"));
const { split } = require("split-sms");
const { SegmentedMessage } = require("sms-segments-calculator");
const Negotiator = require("negotiator");
const { lookup } = await import(require.resolve("bcp-47-match").replace(/^/, "file://"));

const folder = dirname(fileURLToPath(import.meta.url));
const version = (name) => require(`${name}/package.json`).version;
const write = (name, head, lines) =>
  writeFileSync(join(folder, name), [...head.map((line) => `# ${line}`), ...lines, ""].join("\n"));

// The same cases each time: numbers from a fixed beginning.
let state = 20261126;
const below = (bound) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
};
const one = (list) => list[below(list.length)];

// ---- segments: texts as runs of one character each, "61*152 20ac*1" is 152 a's and a euro sign.
const hex = (char) => char.codePointAt(0).toString(16);
const basic = [..."aZ0 @£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà"];
const extension = [..."\f^{}\\[~]|€"];
const wide = [..."’“çáíóúãõêşğяЯжωαあ漢字한عבก—…\u00a0`"];
const pairs = [..."😀🎉𝒳𠮷🚀"];
const lengths = [1, 2, 7, 66, 67, 68, 69, 70, 71, 132, 133, 134, 135, 151, 152, 153, 154, 159, 160, 161, 200];
const recipes = new Set(["61*160", "61*161", "61*306", "61*307", "44f*70", "44f*71", "44f*134", "44f*135"]);
for (const char of [...basic, ...extension, ...wide, ...pairs]) recipes.add(`${hex(char)}*1`);
while (recipes.size < 620) {
  const kinds = one([[basic], [basic, extension], [extension], [wide], [basic, wide], [basic, wide, pairs], [pairs]]);
  const runs = Array.from({ length: 1 + below(5) }, () => {
    const char = one(one(kinds));
    return `${hex(char)}*${below(3) ? 1 + below(60) : one(lengths)}`;
  });
  recipes.add(runs.join(" "));
}
const spelled = (recipe) =>
  recipe
    .split(" ")
    .map((run) => run.split("*"))
    .map(([code, times]) => String.fromCodePoint(parseInt(code, 16)).repeat(Number(times)))
    .join("");
const counted = [...recipes].map((recipe) => {
  const text = spelled(recipe);
  const one = split(text);
  const other = new SegmentedMessage(text);
  const gsm = one.characterSet === "GSM";
  const fields = [recipe, gsm ? "gsm7" : "ucs2", gsm ? one.bytes : one.bytes / 2, one.parts.length];
  return [...fields, other.encodingName === "GSM-7" ? "gsm7" : "ucs2", other.segmentsCount].join("\t");
});
write(
  "segments.tsv",
  [
    "Written by scripts/counterparts. Text as runs of code points, then what was counted:",
    `encoding, units and segments by split-sms ${version("split-sms")},`,
    `encoding and segments by sms-segments-calculator ${version("sms-segments-calculator")}.`,
  ],
  counted,
);

// ---- languages: headers, and the language of ours that is chosen for each.
const ours = process.argv.slice(2);
const tags = [
  ...ours, "de-CH", "de-AT", "en-GB", "en-US", "fr-CA", "es-419", "es-MX", "pt-PT", "pt-AO", "nb", "nn", "nb-NO",
  "nn-NO", "no-NO", "iw", "iw-IL", "in", "in-ID", "zh", "zh-TW", "zh-HK", "zh-MO", "zh-CN", "zh-SG", "zh-Hant-HK",
  "zh-Hans-TW", "ZH-tw", "EN", "DE-ch", "sr", "eo", "gsw", "cy", "en-x-own", "de-u-co-phonebk", "de-DE-1996", "mo",
];
const headers = new Set();
while (headers.size < 260) {
  const items = Array.from({ length: 1 + below(5) }, () => {
    const tag = below(12) ? one(tags) : "*";
    const q = one(["", "", ";q=1", ";q=0.9", ";q=0.8", "; q=0.5", ";q=0.3", ";q=0.001", ";q=0"]);
    return tag + q;
  });
  headers.add(items.join(one([",", ", ", " ,"])));
}
// CLDR: the parent of Bokmål and Nynorsk is `no`; a Chinese of no named script is written in that of its place.
const canonical = (tag) => {
  const [name] = Intl.getCanonicalLocales(tag);
  const locale = new Intl.Locale(name);
  if (["nb", "nn"].includes(locale.language)) return name.replace(/^n[bn]/, "no");
  return locale.language === "zh" ? `zh-${locale.maximize().script}` : name;
};
const chosen = [...headers].map((header) => {
  const asked = new Negotiator({ headers: { "accept-language": header } }).languages();
  const ranges = asked.filter((range) => range !== "*").map(canonical);
  return [header, lookup(ours, ranges) ?? ""].join("\t");
});
write(
  "languages.tsv",
  [
    "Written by scripts/counterparts. Accept-Language, then which of our languages is chosen, nothing for none of them:",
    `read by negotiator ${version("negotiator")}, made canonical by Intl.Locale (ICU ${process.versions.icu}),`,
    `looked up by bcp-47-match ${version("bcp-47-match")}.`,
  ],
  chosen,
);
