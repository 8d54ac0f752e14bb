/** Bundle an application from the documentation: `node bundle.mjs ENTRY OUTPUT`. */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { compile as compileSvelte } from 'svelte/compiler';
import { compileScript, parse } from 'vue/compiler-sfc';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [entry, output] = process.argv.slice(2);

function vue(source, filename) {
  const { descriptor } = parse(source, { filename });
  return compileScript(descriptor, { id: basename(filename), inlineTemplate: true }).content;
}

function svelte(source, filename) {
  return compileSvelte(source, { filename, generate: 'client' }).js.code;
}

function compiled(name, filter, compile) {
  const load = async ({ path }) => ({ contents: compile(await readFile(path, 'utf8'), path) });
  return { name, setup: (build) => build.onLoad({ filter }, load) };
}

await build({
  entryPoints: [entry],
  outfile: output,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  conditions: ['browser', 'svelte'],
  nodePaths: [here('node_modules')],
  alias: { 'drf-signet': here('../../src/drf_signet/static/drf_signet/auth.js') },
  define: {
    'process.env.NODE_ENV': '"production"',
    ngDevMode: 'false',
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
  },
  tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
  plugins: [compiled('vue', /\.vue$/, vue), compiled('svelte', /\.svelte$/, svelte)],
  logLevel: 'warning',
});
