// Node's `child_process`: there are no programs. cdk8s reads the files of `Include` through one,
// which is answered from the source.

import { readFileSync } from './fs.js';

export function execFileSync(program, [script, address] = []) {
  if (!script?.endsWith('_loadurl.mjs')) throw none(program);
  if (/^[a-z]+:\/\//.test(address)) {
    throw new Error(`\`${address}\` is not part of the source: a plugin has no network; put the file there`);
  }
  return readFileSync(address, 'utf8');
}

export function spawnSync(program) {
  throw none(program);
}

function none(program) {
  return new Error(`a plugin runs no programs, and \`${program}\` is one: render charts with the renderer \`helm\``);
}
