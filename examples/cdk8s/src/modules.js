// Modules of the source: found in the tree, turned from TypeScript and `import` into plain
// JavaScript, and run. Packages are those that the plugin brings.

import * as cdk8s from 'cdk8s';
import * as constructs from 'constructs';
import { transform } from 'sucrase';

import { log } from './log.js';
import * as childProcess from './node/child_process.js';
import * as crypto from './node/crypto.js';
import * as fs from './node/fs.js';
import * as os from './node/os.js';
import process from './node/process.js';
import path from 'path-browserify';

const PACKAGES = { cdk8s, constructs, child_process: childProcess, crypto, fs, os, path, process };
const ENDINGS = ['', '.ts', '.js', '.json', '/index.ts', '/index.js'];

export class Modules {
  #packages;
  // Modules by path: also those that are still running, for circles of imports.
  #loaded = new Map();

  constructor(more) {
    this.#packages = { ...PACKAGES, ...more };
  }

  has(file) {
    return this.#loaded.has(file);
  }

  // Runs a module once and returns what it exports.
  load(file) {
    const known = this.#loaded.get(file);
    if (known) return known.exports;
    const module = { exports: {} };
    this.#loaded.set(file, module);
    const text = fs.readFileSync(`/${file}`, 'utf8');
    if (file.endsWith('.json')) {
      module.exports = JSON.parse(text);
      return module.exports;
    }
    const folder = path.dirname(`/${file}`);
    const require = (name) => this.#require(name, folder, file);
    compile(file, text)(require, module, module.exports, `/${file}`, folder, process, log);
    return module.exports;
  }

  #require(name, folder, from) {
    if (!name.startsWith('.') && !name.startsWith('/')) {
      const bare = name.replace(/^node:/, '');
      if (Object.hasOwn(this.#packages, bare)) return this.#packages[bare];
      const known = Object.keys(this.#packages).join(', ');
      throw new Error(`\`${from}\` imports \`${name}\`, which this plugin does not bring: there are ${known}`);
    }
    const wanted = path.resolve(folder, name);
    // TypeScript's own way of naming: `./web.js` is web.ts.
    const bases = [wanted, wanted.replace(/\.js$/, '.ts')];
    for (const base of bases) {
      for (const ending of ENDINGS) {
        if (fs.statSync(base + ending, { throwIfNoEntry: false })?.isFile()) {
          return this.load((base + ending).slice(1));
        }
      }
    }
    throw new Error(`\`${from}\` imports \`${name}\`, and there is no such file`);
  }
}

// Makes a function of a module's text. Lines keep their numbers: the wrapper adds none.
function compile(file, text) {
  const { code } = transform(text, {
    transforms: file.endsWith('.ts') ? ['typescript', 'imports'] : ['imports'],
    filePath: file,
    production: true,
  });
  const parameters = 'require, module, exports, __filename, __dirname, process, console';
  const evaluate = eval; // Called by another name, it sees nothing of this file.
  return evaluate(`(function (${parameters}) {${code}\n})\n//# sourceURL=${file}`);
}
